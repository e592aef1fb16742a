import AttentionKernels
import Testing

extension Integration {
  /// The bits don't depend on the number of workers, the layout, the threads or the CPU level.
  @Suite struct Equality {
    @Test(arguments: ["full", "causal"])
    func bitsAreThoseOfOneProcess(mask: String) throws {
      try withScratch { scratch in
        let tensors = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 1_501)
        let flags = try tensors.write(to: scratch) + ["--mask", mask, "--scale", "0.125"]
        let alone = try scratch.attend(flags)
        let check = ReferenceCheck(tensors, isCausal: mask == "causal")
        #expect(check.violation(output: alone.output, logSumExp: alone.logSumExp) == nil)
        for level in [KernelLevel.avx512, .avx2] {
          guard level.isSupported else {
            print("skipped: this CPU has no \(level.name)")
            continue
          }
          for workers in [1, 2, 3, 5, 8] {
            for layout in ["contiguous", "zigzag"] {
              for threads in [1, 2] {
                let mesh = [
                  "--workers", "\(workers)", "--layout", layout, "--threads", "\(threads)",
                ]
                let found = try scratch.attend(flags + mesh, ["ATTNMESH_CPU": level.name])
                #expect(found == alone, "\(level.name), \(mesh.joined(separator: " "))")
              }
            }
          }
        }
      }
    }

    /// The levels of one arithmetic class, and every thread count, also without a mesh.
    @Test func bitsOfOneProcessDependOnNothingElse() throws {
      try withScratch { scratch in
        let tensors = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 1_501)
        let flags = try tensors.write(to: scratch) + ["--mask", "causal"]
        let first = try scratch.attend(flags + ["--threads", "1"])
        for level in [KernelLevel.avx512, .avx2] where level.isSupported {
          for threads in [1, 2, 5] {
            let found = try scratch.attend(
              flags + ["--threads", "\(threads)"], ["ATTNMESH_CPU": level.name])
            #expect(found == first, "\(level.name), \(threads) threads")
          }
        }
      }
    }

    /// The level for every CPU has bits of its own, on which its workers agree too.
    @Test func baselineAgreesWithItself() throws {
      try withScratch { scratch in
        let tensors = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 601)
        let flags = try tensors.write(to: scratch) + ["--mask", "causal"]
        let baseline = ["ATTNMESH_CPU": "baseline"]
        let alone = try scratch.attend(flags, baseline)
        let check = ReferenceCheck(tensors, isCausal: true)
        #expect(check.violation(output: alone.output, logSumExp: alone.logSumExp) == nil)
        #expect(try scratch.attend(flags + ["--workers", "3"], baseline) == alone)
      }
    }
  }
}
