import ElementTypes
import Testing

extension Integration {
  /// Any length, any number of workers, any head counts.
  @Suite struct RandomConfigurations {
    @Test(arguments: 0..<40)
    func meshAgreesWithTheReferenceAndWithOneProcess(seed: UInt64) throws {
      try check(RandomJob(seed: seed), seed: seed)
    }

    @Test func sevenTokensOnTwoWorkers() throws {
      try check(
        RandomJob(workers: 2, heads: 2, keyHeads: 1, tokens: 7, headDimension: 64, mask: "causal"),
        seed: 101)
    }

    @Test func aPrimeNumberOfTokensOnFourWorkers() throws {
      try check(
        RandomJob(
          workers: 4, heads: 4, keyHeads: 2, tokens: 2_999, headDimension: 48, mask: "causal"),
        seed: 102)
    }

    @Test func twentyEightHeadsOnEightWorkers() throws {
      try check(
        RandomJob(workers: 8, heads: 28, keyHeads: 4, tokens: 500, headDimension: 32, mask: "full"),
        seed: 103)
    }

    /// More workers than there is anything to do for.
    @Test func oneTokenOnNineWorkers() throws {
      try check(
        RandomJob(workers: 9, heads: 1, keyHeads: 1, tokens: 1, headDimension: 1, mask: "causal"),
        seed: 104)
    }

    /// A K/V tile larger than a message: it travels in parts, split by heads.
    @Test func tilesOfSeveralParts() throws {
      try check(
        RandomJob(
          workers: 3, heads: 12, keyHeads: 12, tokens: 700, headDimension: 96, mask: "causal"),
        seed: 105)
    }

    private func check(_ job: RandomJob, seed: UInt64) throws {
      try withScratch { scratch in
        let tensors = job.tensors(seed: seed)
        let format = job.element == .bfloat16 || seed % 4 == 0 ? "safetensors" : "npy"
        let flags = try tensors.write(to: scratch, format: format) + job.flags
        let mesh = try scratch.attend(flags + ["--workers", "\(job.workers)"])
        #expect(mesh.output.shape == tensors.query.shape)
        #expect(mesh.logSumExp.shape == Array(tensors.query.shape.dropLast()))
        let alone = try scratch.attend(flags, name: "alone")
        #expect(mesh == alone, "seed \(seed): \(job)")
        let violation = ReferenceCheck(tensors, isCausal: job.mask == "causal")
          .violation(output: mesh.output, logSumExp: mesh.logSumExp)
        #expect(violation == nil, "seed \(seed): \(job)")
      }
    }
  }
}
