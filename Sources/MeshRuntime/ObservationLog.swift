internal import Glibc
package import MeshCore

/// Writes observations to standard error, a line each, or not at all.
package struct ObservationLog: Sendable {
  private let isOn: Bool
  private let observer: (@Sendable (Observation) -> Void)?

  /// - Parameter observer: told each observation when it is made, on the thread that made it.
  package init(isOn: Bool, observer: (@Sendable (Observation) -> Void)? = nil) {
    self.isOn = isOn
    self.observer = observer
  }

  package func write(_ observation: Observation) {
    observer?(observation)
    guard isOn else { return }
    var now = WallClock.now
    var parts = tm()
    gmtime_r(&now.tv_sec, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    let time = buffer.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let line = "\(time) \(observation.line)\n"
    // One write a line, so that lines of several processes don't mix.
    _ = line.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
  }
}

extension Observation {
  /// One line for a person.
  package var line: String {
    var line = kind.name
    if let job { line += " job=\(job)" }
    if let worker { line += " worker=\(worker)" }
    if let vrank { line += " vrank=\(vrank)" }
    if !detail.isEmpty { line += " " + detail }
    return line
  }
}
