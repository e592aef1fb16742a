internal import Foundation
package import Glibc
package import MeshCore

/// Writes observations to standard error, a line each, or not at all.
package struct ObservationLog: Sendable {
  /// What a line looks like.
  package enum Format: String, Sendable, CaseIterable {
    /// For people: time, level, kind, job=, worker=, vrank=, and the detail.
    case text
    /// For programs: an object a line.
    case json
  }

  private let level: Observation.Level?
  private let format: Format
  private let observer: (@Sendable (Observation) -> Void)?

  /// - Parameters:
  ///   - level: what is less than this isn't written; nil for nothing at all.
  ///   - observer: told each observation when it is made, on the thread that made it.
  package init(
    level: Observation.Level? = nil, format: Format = .text,
    observer: (@Sendable (Observation) -> Void)? = nil
  ) {
    self.level = level
    self.format = format
    self.observer = observer
  }

  package func write(_ observation: Observation) {
    observer?(observation)
    guard let level, observation.kind.level <= level else { return }
    let line = Self.line(observation, format, at: WallClock.now) + "\n"
    // One write a line, so that lines of several processes don't mix.
    _ = line.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
  }

  package static func line(
    _ observation: Observation, _ format: Format, at time: timespec
  ) -> String {
    switch format {
    case .text:
      printable("\(stamp(time)) \(observation.kind.level.name) \(observation.line)")
    case .json: Entry(observation, stamp(time)).line
    }
  }

  /// A line of a JSON log about what is no observation: kind is "message".
  package static func line(_ message: String, level: Observation.Level) -> String {
    Entry(message, level, stamp(WallClock.now)).line
  }

  /// ISO 8601 with milliseconds, UTC.
  private static func stamp(_ time: timespec) -> String {
    var (seconds, parts) = (time.tv_sec, tm())
    gmtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S", &parts)
    let date = buffer.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let milliseconds = "\(time.tv_nsec / 1_000_000)"
    return "\(date).\(String(repeating: "0", count: 3 - milliseconds.count))\(milliseconds)Z"
  }

  /// A line for programs. Its keys are stable.
  private struct Entry: Encodable {
    var time: String
    var level: String
    var kind: String
    var job: String?
    var worker: String?
    var vrank: Int?
    var message: String

    init(_ observation: Observation, _ time: String) {
      self.time = time
      level = observation.kind.level.name
      kind = observation.kind.name
      job = observation.job.map { "\($0)" }
      worker = observation.worker
      vrank = observation.vrank?.index
      message = observation.detail
    }

    init(_ message: String, _ level: Observation.Level, _ time: String) {
      self.time = time
      self.level = level.name
      kind = "message"
      self.message = message
    }

    var line: String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      // Text and a number: there is nothing that JSON can't hold.
      guard let data = try? encoder.encode(self) else { preconditionFailure("no JSON of \(self)") }
      return String(decoding: data, as: UTF8.self)
    }
  }
}
