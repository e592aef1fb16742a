import Foundation
import Testing

/// Output and log-sum-exp of one `attend`.
struct Attended: Equatable {
  var output: TensorData
  var logSumExp: TensorData
}

extension Scratch {
  /// Runs `attend` with these flags and reads what it wrote.
  func attend(
    _ flags: [String], _ environment: [String: String] = [:], name: String = "o"
  ) throws -> Attended {
    let (output, logSumExp) = (file("\(name).npy"), file("\(name)-lse.npy"))
    let program = try run(
      ["attend", "--quiet", "--output", output, "--lse", logSumExp] + flags, environment)
    guard try program.wait() == .code(0) else {
      throw HarnessError("attend \(flags.joined(separator: " ")): \(program.errors)")
    }
    return try attended(name)
  }

  /// What an `attend` or `result` with this name wrote.
  func attended(_ name: String) throws -> Attended {
    Attended(
      output: try TensorData(reading: file("\(name).npy")),
      logSumExp: try TensorData(reading: file("\(name)-lse.npy")))
  }
}

/// JSON that a command printed or wrote.
func json(_ text: String) throws -> Any {
  try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
}

func jsonObject(_ text: String) throws -> [String: Any] {
  guard let object = try json(text) as? [String: Any] else {
    throw HarnessError("no JSON object: \(text)")
  }
  return object
}

/// One object a line.
func jsonLines(_ text: String) throws -> [[String: Any]] {
  try text.split(separator: "\n").map { try jsonObject(String($0)) }
}
