internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// What a command says on standard error beside its result: text for people; with --json one object a
/// line; from a service whose log is JSON, lines of that log.
enum MessageFormat {
  case text
  case json
  case log

  /// Of this process.
  static let own: MessageFormat = {
    let arguments = CommandLineArguments(words: Array(CommandLine.arguments.dropFirst()))
    return arguments.wantsJSONLog ? .log : arguments.wantsJSON ? .json : .text
  }()

  /// Something that is told by the way.
  func notice(_ text: String, prefixed: Bool) -> String {
    switch self {
    case .text: (prefixed ? "attnmesh: " : "") + text
    case .json: Self.line(Notice(notice: text))
    case .log:
      ObservationLog.line(text, level: text.hasPrefix("warning: ") ? .warning : .notice)
    }
  }

  /// Why the command ends without a result.
  func failure(_ text: String, kind: MeshError.Kind, prefixed: Bool) -> String {
    switch self {
    case .text: (prefixed ? "attnmesh: " : "") + text
    case .json: Self.line(Failure(error: text, exitCode: Int(kind.exitCode), kind: kind.name))
    case .log: ObservationLog.line(text, level: .error)
    }
  }

  private struct Notice: Encodable {
    var notice: String
  }

  private struct Failure: Encodable {
    var error: String
    var exitCode: Int
    var kind: String
  }

  private static func line(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { preconditionFailure("texts and a number") }
    return String(decoding: data, as: UTF8.self)
  }
}

extension MeshError.Kind {
  /// Stable, for scripts.
  var name: String {
    switch self {
    case .jobFailed: "job_failed"
    case .badInput: "bad_input"
    case .noRoom: "no_room"
    case .unreachable: "unreachable"
    case .timedOut: "timed_out"
    case .interrupted: "interrupted"
    }
  }
}
