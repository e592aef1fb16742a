internal import MeshCore

/// A duration for a person.
package func age(_ seconds: Double) -> String {
  switch seconds {
  case ..<100: "\(decimals(seconds, 1)) s"
  case ..<6_000: "\(decimals(seconds / 60, 0)) min"
  default: "\(decimals(seconds / 3_600, 1)) h"
  }
}

/// A number with so many decimals; what no number of digits says is a dash.
package func decimals(_ value: Double, _ count: Int) -> String {
  let factor = [1.0, 10, 100, 1_000][min(max(count, 0), 3)]
  guard value.isFinite, abs(value) < 1e12 else { return "-" }
  let scaled = Int((abs(value) * factor).rounded())
  let sign = value < 0 && scaled > 0 ? "-" : ""
  let whole = "\(sign)\(scaled / Int(factor))"
  guard count > 0 else { return whole }
  let rest = "\(scaled % Int(factor))"
  return whole + "." + String(repeating: "0", count: count - rest.count) + rest
}

/// Part of a whole in percent, rounded down: what isn't done isn't 100 %.
package func percent(_ part: Int, of whole: Int) -> String {
  guard whole > 0 else { return "-" }
  return "\(Int(100 * (Double(min(part, whole)) / Double(whole)))) %"
}

/// Text in a field of fixed width: what is too long ends with "…". Control characters, which a name or
/// a reason from elsewhere may hold, can't move the cursor.
package func cell(_ text: String, _ width: Int) -> String {
  let clean = printable(text)
  if clean.count > width { return clean.prefix(max(0, width - 1)) + (width > 0 ? "…" : "") }
  return clean + String(repeating: " ", count: width - clean.count)
}

/// A bar of blocks.
func bar(_ part: Int, of whole: Int, width: Int) -> String {
  let filled =
    whole <= 0 ? 0 : Int(Double(width) * Double(min(max(0, part), whole)) / Double(whole))
  return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
}

/// "3 active, 1 cordoned".
func counts(_ parts: [(name: String, count: Int)], none: String) -> String {
  parts.isEmpty ? none : parts.map { "\($0.count) \($0.name)" }.joined(separator: ", ")
}

/// "12.3 s ago  worker-lost worker=w1 no heartbeat for 0.9 s", as seen from a coordinator's clock.
func line(_ event: RecordedEvent, uptime: Double) -> String {
  let ago = "\(age(max(0, uptime - event.seconds))) ago"
  return "\(String(repeating: " ", count: max(0, 12 - ago.count)))\(ago)  \(event.observation.line)"
}
