import AttentionKernels
import Checksums
import ElementTypes
import Foundation
import MeshCore
import Testing

/// A line of Fixtures/bits.txt: a job, and digests of its output and log-sum-exp.
struct RecordedJob: CustomTestStringConvertible {
  /// The line without its digests.
  let name: String
  let seed: UInt64
  let tensors: JobTensors
  let flags: [String]
  /// Of all levels with fused multiply-add, and of the one without.
  private let fused: String
  private let baseline: String

  var testDescription: String { name }
  var format: String { tensors.query.element == .bfloat16 ? "safetensors" : "npy" }

  func recorded(_ level: KernelLevel) -> String { level == .baseline ? baseline : fused }

  /// First 64 bits of the SHA-256 of the output's bytes, and of those of the log-sum-exp.
  static func text(_ attended: Attended) -> String {
    [attended.output, attended.logSumExp]
      .map { String(SHA256.hash($0.bytes).description.prefix(16)) }
      .joined(separator: " ")
  }

  static let all: [RecordedJob] = {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let path = directory.deletingLastPathComponent().path + "/Fixtures/bits.txt"
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
      RecordedJob(String(line))
    }
  }()

  /// `seed type batch heads keyHeads queries keys d spread flags… | output lse | output lse`, where a
  /// batch of 0 is none.
  private init?(_ line: String) {
    let fields = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    let words = (fields.first ?? "").split(separator: " ").map(String.init)
    let numbers = words.compactMap { Int($0) }
    guard words.count >= 9, numbers.count >= 8, let seed = UInt64(words[0]),
      let element = ElementType.allCases.first(where: { $0.name == words[1] })
    else { return nil }
    let (batch, heads, keyHeads, queries, keys, dimension, spread) = (
      numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]
    )
    var random = SplitMix64(seed: seed)
    func tensor(_ heads: Int, _ tokens: Int, times factor: Float) -> TensorData {
      let shape = (batch > 0 ? [batch] : []) + [heads, tokens, dimension]
      let values = (0..<shape.reduce(1, *)).map { _ in random.exactUniform() * factor }
      return TensorData(values, element: element, shape: shape)
    }
    self.seed = seed
    name = fields[0]
    flags = Array(words[9...])
    tensors = JobTensors(
      query: tensor(heads, queries, times: Float(spread)), key: tensor(keyHeads, keys, times: 2),
      value: tensor(keyHeads, keys, times: 1))
    fused = fields.count > 1 ? fields[1] : ""
    baseline = fields.count > 2 ? fields[2] : ""
  }
}

extension SplitMix64 {
  /// In [−1, 1), a multiple of 2^−23: the same on every platform and in every version of Swift.
  mutating func exactUniform() -> Float { Float(Int32(next() >> 40)) / 8_388_608 - 1 }
}
