import AttentionKernels
import Checksums
import FoldEngine
import Glibc
import MeshCore
import MeshRuntime
import Testing

/// A result of gigabytes takes seconds to digest: nobody may take its worker for hung meanwhile.
@Suite struct SealingTests {
  /// 9 MiB of result, one virtual rank.
  private func result() -> RankResult {
    let spec = AttentionJob(
      batch: 1, queryHeads: 18, keyValueHeads: 18, queryTokens: 1_024, keyTokens: 64,
      headDimension: 127, element: .float32, mask: .full, scale: 1, layout: .contiguous)
    let engine = FoldEngine(plan: Plan(job: spec, vrankCount: 1), kernel: AttentionKernel())
    engine.host(VRank(0))
    let result = engine.finish(VRank(0))
    for item in 0..<result.itemCount { result.perform(item) }
    return result
  }

  @Test("a result is digested in pieces, as a whole")
  func pieces() {
    let result = result()
    var steps = 0
    result.seal {
      steps += 1
      return true
    }
    let hasher = SHA256()
    for message in 0..<result.messageCount { hasher.update(result.payload(message)) }
    let digest = hasher.finish()
    #expect(result.sealedDigest == digest)
    #expect(steps == 3)
  }

  @Test("told not to go on, it leaves the result without a digest", arguments: 0..<3)
  func stopped(steps: Int) {
    let result = result()
    var left = steps
    result.seal {
      left -= 1
      return left >= 0
    }
    #expect(result.sealedDigest == nil && left == -1)
  }

  @Test("the steps of a long completion are progress, and cancel doesn't wait for all of them")
  func longCompletion() throws {
    let pool = try ComputePool(threads: 1)
    pool.submit(itemCount: 1) { _, _ in
    } completion: { [pool] _ in
      while pool.countStep() { usleep(1_000) }
    }
    let deadline = time(nil) + 60
    while pool.itemsDone < 20, time(nil) < deadline { usleep(1_000) }
    #expect(pool.itemsDone >= 20 && pool.isBusy)
    pool.cancel()
    #expect(!pool.isBusy)
    pool.stop()
  }
}
