import AttentionKernels
import ElementTypes
import Foundation
import MeshCore
import Testing

extension Integration {
  /// Masks from the command line to the result: what users of other programs ran into, each with the
  /// right answer.
  @Suite struct MaskCases {
    private static let meshes = [[], ["--workers", "1"], ["--workers", "4"]]

    /// Runs a job alone and on meshes, whose bytes have to be equal.
    private func attend(
      _ scratch: Scratch, _ tensors: JobTensors, _ flags: [String], meshes: [[String]] = meshes
    ) throws -> Attended {
      let flags = try tensors.write(to: scratch) + flags
      let found = try meshes.map { try scratch.attend(flags + $0) }
      #expect(found.allSatisfy { $0 == found[0] }, "\(flags.suffix(6))")
      return found[0]
    }

    /// q = k = 0, so that every key that is seen has the same weight, and V one-hot in the first keys: a
    /// row of the output says which it sees.
    private func sights(tokens: Int, columns: Int) -> JobTensors {
      let zeros = [Float](repeating: 0, count: tokens * columns)
      var hot = zeros
      for token in 0..<min(tokens, columns) { hot[token * columns + token] = 1 }
      func tensor(_ values: [Float]) -> TensorData {
        TensorData(values, element: .float32, shape: [1, tokens, columns])
      }
      return JobTensors(query: tensor(zeros), key: tensor(zeros), value: tensor(hot))
    }

    /// A window's own token isn't counted: 4 before are five keys, and 0 hides all but its own.
    @Test(arguments: [0, 1, 4, 15, 100])
    func aWindowCountsKeysBeforeItsOwn(left: Int) throws {
      try withScratch { scratch in
        let found = try attend(
          scratch, sights(tokens: 16, columns: 16),
          ["--mask", "causal", "--window", "\(left)"], meshes: [[], ["--workers", "2"]])
        for row in 0..<16 {
          let seen = max(0, row - left)...row
          for key in 0..<16 {
            let weight = seen.contains(key) ? 1 / Float(seen.count) : 0
            #expect(abs(found.output.floats[row * 16 + key] - weight) < 1e-6, "\(row), \(key)")
            if weight == 0 { #expect(found.output.floats[row * 16 + key] == 0) }
          }
        }
      }
    }

    /// Sinks and window overlap, touch and part; each key is seen once.
    @Test func theFirstKeysAreSeenFromFarAway() throws {
      try withScratch { scratch in
        let found = try attend(
          scratch, sights(tokens: 1_000, columns: 80),
          ["--mask", "causal", "--window", "63", "--sink-tokens", "4"])
        for row in [3, 62, 63, 66, 67, 68, 69, 79] {
          let seen = (0...row).filter { $0 < 4 || $0 >= row - 63 }
          for key in 0..<80 {
            let weight = seen.contains(key) ? 1 / Float(seen.count) : 0
            #expect(abs(found.output.floats[row * 80 + key] - weight) < 1e-6, "\(row), \(key)")
          }
          #expect(abs(found.logSumExp.floats[row] - Float(log(Double(seen.count)))) < 1e-5)
        }
        // 64 keys of its own and 4 far away, of which the columns show the latter.
        let last = found.output.floats[(999 * 80)...]
        #expect(last.prefix(4).allSatisfy { abs($0 - 1 / 68) < 1e-6 })
        #expect(last.dropFirst(4).allSatisfy { $0 == 0 })
      }
    }

    @Test func documentsDontSeeEachOther() throws {
      try withScratch { scratch in
        let lengths = [1, 255, 256, 257, 0, 231]
        let job = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 1_000, headDimension: 24, mask: "causal")
        let tensors = job.tensors(seed: 31)
        let found = try attend(
          scratch, tensors,
          ["--mask", "causal", "--documents", lengths.map(String.init).joined(separator: ",")])
        let rule = MaskRule(
          isCausal: true, documents: MaskRule.Documents(queries: lengths, keys: lengths))
        let violation = ReferenceCheck(tensors, rule)
          .violation(output: found.output, logSumExp: found.logSumExp)
        #expect(violation == nil)
      }
    }

    /// Padding is a document of queries that has no keys.
    @Test func paddingIsZero() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 2, keyHeads: 2, tokens: 10, headDimension: 8, mask: "full")
        let found = try attend(
          scratch, job.tensors(seed: 32),
          ["--documents", "4,3,3,0", "--key-documents", "4,3,0,3"])
        for head in 0..<2 {
          let padding = head * 10 + 7..<head * 10 + 10
          #expect(
            found.output.floats[padding.lowerBound * 8..<padding.upperBound * 8].allSatisfy {
              $0 == 0
            })
          #expect(found.logSumExp.floats[padding].allSatisfy { $0 == -.infinity })
        }
      }
    }

    /// The cap is inside, the slope outside, and the mask last: what is hidden has weight 0, not that of
    /// -cap, also where it is NaN.
    @Test func aSoftcapComesBeforeTheMask() throws {
      try withScratch { scratch in
        var tensors = sights(tokens: 8, columns: 8)
        var random = SplitMix64(seed: 33)
        for token in 0..<8 {
          for column in 0..<8 {
            tensors.query.set(Float(random.normal() * 3), head: 0, token: token, column: column)
            tensors.key.set(Float(random.normal()), head: 0, token: token, column: column)
          }
        }
        try Data1D.write([0.5], to: scratch.file("slopes.npy"))
        let flags = [
          "--mask", "causal", "--softcap", "1", "--alibi", scratch.file("slopes.npy"),
        ]
        let clean = try attend(scratch, tensors, flags)
        let violation = ReferenceCheck(
          tensors, .causal, LogitRule(softcap: 1, alibiSlopes: [0.5])
        ).violation(output: clean.output, logSumExp: clean.logSumExp)
        #expect(violation == nil)
        for row in 0..<8 {
          #expect(clean.output.floats[row * 8 + row + 1..<row * 8 + 8].allSatisfy { $0 == 0 })
        }
        tensors.key.set(.nan, head: 0, token: 7, column: 0)
        let found = try attend(scratch, tensors, flags)
        #expect(found.output.bytes[..<(7 * 32)] == clean.output.bytes[..<(7 * 32)])
      }
    }

    /// Also where heads are no power of two, and on any number of workers.
    @Test(arguments: [9, 12])
    func standardSlopes(heads: Int) throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: heads, keyHeads: 3, tokens: 700, headDimension: 16, mask: "causal")
        let tensors = job.tensors(seed: 34)
        let found = try attend(
          scratch, tensors, ["--mask", "causal", "--alibi"], meshes: [[], ["--workers", "3"]])
        let further: [Float] = heads == 12 ? [0.5, 1.5, 2.5, 3.5] : [0.5]
        let slopes: [Float] = (1...8).map { exp2f(-Float($0)) } + further.map { exp2f(-$0) }
        let violation = ReferenceCheck(
          tensors, .causal, LogitRule(alibiSlopes: slopes)
        ).violation(output: found.output, logSumExp: found.logSumExp)
        #expect(violation == nil)
      }
    }

    /// A learnt logit takes weight once, however many ranks and tiles there are, and the log-sum-exp
    /// counts it, also of rows that see no key.
    @Test func sinkLogitsCountOnce() throws {
      try withScratch { scratch in
        var job = RandomJob(
          workers: 1, heads: 4, keyHeads: 2, tokens: 900, headDimension: 16, mask: "causal")
        job.keyTokens = 600
        let tensors = job.tensors(seed: 35)
        let logits: [Float] = [-2, 0, 1.5, 7]
        try Data1D.write(logits, to: scratch.file("sinks.npy"))
        let found = try attend(
          scratch, tensors, ["--mask", "causal", "--sink-logits", scratch.file("sinks.npy")])
        let violation = ReferenceCheck(tensors, .causal, LogitRule(sinkLogits: logits))
          .violation(output: found.output, logSumExp: found.logSumExp)
        #expect(violation == nil)
        for head in 0..<4 {
          #expect(found.logSumExp.floats[head * 900] == logits[head])
          #expect(found.output.floats[head * 900 * 16] == 0)
        }
      }
    }

    /// What a window doesn't show can't spoil a row.
    @Test func hiddenNaNChangesNoRow() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 1, keyHeads: 1, tokens: 800, headDimension: 8, mask: "full")
        var tensors = job.tensors(seed: 36)
        let flags = ["--window", "10,20"]
        let clean = try attend(scratch, tensors, flags)
        tensors.key.set(.nan, head: 0, token: 400, column: 0)
        tensors.value.set(.infinity, head: 0, token: 401, column: 3)
        let found = try attend(scratch, tensors, flags)
        for row in 0..<800 where !(380...411).contains(row) {
          let bytes = row * 32..<(row + 1) * 32
          #expect(found.output.bytes[bytes] == clean.output.bytes[bytes], "\(row)")
        }
        #expect(found.output.floats[400 * 8].isNaN)
      }
    }

    /// Lengths may come from a file.
    @Test func documentsFromAFile() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 1, keyHeads: 1, tokens: 300, headDimension: 8, mask: "causal")
        let flags = try job.tensors(seed: 37).write(to: scratch) + job.flags
        try "100\n150, 50\n".write(
          toFile: scratch.file("lengths.txt"), atomically: true, encoding: .utf8)
        let listed = try scratch.attend(flags + ["--documents", "100,150,50"])
        let read = try scratch.attend(flags + ["--documents", scratch.file("lengths.txt")])
        #expect(read == listed)
      }
    }
  }
}
