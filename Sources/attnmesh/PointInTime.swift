internal import Foundation
internal import MeshRuntime

/// A time as a flag says it: "2026-11-30T18:00", in UTC, or how long ago, as "2h".
enum PointInTime: Equatable {
  /// Seconds since 1970.
  case at(Double)
  case ago(Double)

  init(_ text: String, _ flag: String) throws(MeshError) {
    if let ago = Self.duration(text) {
      self = .ago(ago)
    } else if let seconds = Self.instant(text) {
      self = .at(seconds)
    } else {
      throw MeshError(
        .badInput,
        "\(flag) \(text): it must be a time in UTC such as 2026-11-30 or 2026-11-30T18:00, or how long"
          + " ago, such as 90s, 30m, 2h or 7d")
    }
  }

  /// Seconds since 1970.
  func seconds(at now: Double) -> Double {
    switch self {
    case .at(let seconds): seconds
    case .ago(let seconds): now - seconds
    }
  }

  /// "90s", "30m", "2h", "7d", "2w"; nil for anything else.
  static func duration(_ text: String) -> Double? {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
    guard let unit = text.last.flatMap({ units[$0] }), let count = Double(text.dropLast()),
      count.isFinite, count >= 0
    else { return nil }
    return count * unit
  }

  /// A date, or a date and a time to the minute, the second, or as events have it.
  private static func instant(_ text: String) -> Double? {
    let pattern = /(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?)?Z?/
    guard let match = try? pattern.wholeMatch(in: text) else { return nil }
    func number(_ part: Substring?) -> Int { part.flatMap { Int($0) } ?? 0 }
    let parts = DateComponents(
      calendar: Calendar(identifier: .gregorian), timeZone: .gmt, year: number(match.1),
      month: number(match.2), day: number(match.3), hour: number(match.4), minute: number(match.5),
      second: number(match.6))
    // The 31st of February isn't taken for some day of March.
    guard parts.isValidDate, let date = parts.date else { return nil }
    return date.timeIntervalSince1970 + (match.7.flatMap { Double("0\($0)") } ?? 0)
  }
}
