import ElementTypes
import Testing

extension Integration {
  /// NaN, infinities and rows without keys, from file to file.
  @Suite struct Nonfinite {
    @Test(arguments: [nil, 3], ["full", "causal"])
    func valuesPropagateAsInTheReference(workers: Int?, mask: String) throws {
      try withScratch { scratch in
        var tensors = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 300, headDimension: 16, mask: mask
        ).tensors(seed: 7)
        tensors.query.set(.nan, head: 0, token: 5, column: 3)
        tensors.query.set(.infinity, head: 1, token: 70, column: 0)
        tensors.key.set(-.infinity, head: 0, token: 130, column: 1)
        tensors.value.set(.infinity, head: 0, token: 200, column: 2)
        tensors.value.set(-.infinity, head: 0, token: 260, column: 2)
        tensors.value.set(.nan, head: 0, token: 280, column: 15)
        let flags = try tensors.write(to: scratch) + ["--mask", mask]
        let found = try scratch.attend(flags + (workers.map { ["--workers", "\($0)"] } ?? []))
        #expect(try found == scratch.attend(flags, name: "alone"))
        let check = ReferenceCheck(tensors, isCausal: mask == "causal")
        #expect(check.violation(output: found.output, logSumExp: found.logSumExp) == nil)
        let bits = (found.output.floats + found.logSumExp.floats).filter(\.isNaN).map(\.bitPattern)
        #expect(!bits.isEmpty)
        #expect(bits.allSatisfy { $0 == 0x7FC0_0000 })
      }
    }

    /// What a row doesn't see can't spoil it.
    @Test func maskedNaNIsNotSeen() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 1, keyHeads: 1, tokens: 300, headDimension: 8, mask: "causal")
        var tensors = job.tensors(seed: 8)
        let clean = try scratch.attend(tensors.write(to: scratch) + job.flags)
        tensors.key.set(.nan, head: 0, token: 299, column: 0)
        tensors.value.set(.nan, head: 0, token: 299, column: 0)
        let found = try scratch.attend(
          tensors.write(to: scratch) + job.flags + ["--workers", "2"])
        let seen = 299 * 8 * 4
        #expect(found.output.bytes[..<seen] == clean.output.bytes[..<seen])
        #expect(found.output.floats[(299 * 8)...].allSatisfy { $0.isNaN })
      }
    }

    /// More queries than keys: the first ones see nothing.
    @Test(arguments: [nil, 1, 2, 5], [(300, 10), (700, 300), (64, 1)])
    func rowsWithoutKeys(workers: Int?, tokens: (query: Int, key: Int)) throws {
      try withScratch { scratch in
        var job = RandomJob(
          workers: 1, heads: 4, keyHeads: 2, tokens: tokens.query, headDimension: 24,
          mask: "causal")
        job.keyTokens = tokens.key
        let tensors = job.tensors(seed: 9)
        let found = try scratch.attend(
          tensors.write(to: scratch) + job.flags + (workers.map { ["--workers", "\($0)"] } ?? []))
        let blind = tokens.query - tokens.key
        let (output, logSumExp) = (found.output.floats, found.logSumExp.floats)
        for head in 0..<4 {
          let row = head * tokens.query
          let zeros = output[row * 24..<(row + blind) * 24]
          #expect(zeros.allSatisfy { $0.bitPattern == 0 })
          #expect(logSumExp[row..<row + blind].allSatisfy { $0 == -.infinity })
          #expect(logSumExp[row + blind].isFinite)
        }
        let check = ReferenceCheck(tensors, isCausal: true)
        #expect(check.violation(output: found.output, logSumExp: found.logSumExp) == nil)
      }
    }

    /// The canonical NaN, rounded to the type asked for.
    @Test func nanInOtherOutputTypes() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 1, keyHeads: 1, tokens: 3, headDimension: 4, mask: "full")
        var tensors = job.tensors(seed: 10)
        tensors.query.set(.nan, head: 0, token: 1, column: 0)
        let flags = try tensors.write(to: scratch) + job.flags
        for (element, nan) in [(ElementType.float16, 0x7E00), (.bfloat16, 0x7FC0)] {
          let output = scratch.file("\(element.name).safetensors")
          let run = try scratch.run(
            ["attend", "--quiet", "--output", output, "--output-dtype", element.name] + flags)
          #expect(try run.wait() == .code(0), "\(run.errors)")
          let found = try TensorData(reading: output)
          #expect(found.element == element)
          let words = found.bytes[8..<16]
          #expect(
            stride(from: 8, to: 16, by: 2).allSatisfy {
              Int(words[$0]) | Int(words[$0 + 1]) << 8 == nan
            })
        }
      }
    }
  }
}

extension TensorData {
  mutating func set(_ value: Float, head: Int, token: Int, column: Int = 0) {
    var values = floats
    values[(head * shape[1] + token) * (shape.count > 2 ? shape[2] : 1) + column] = value
    self = TensorData(values, element: element, shape: shape)
  }
}
