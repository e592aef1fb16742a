import AttentionKernels
import FoldEngine
import MeshCore
import MeshRuntime
import Synchronization
import Testing
import ZeroMQ

/// Memory of a thousand heads takes long to free: the thread that answers peers lets go of it, and another
/// one frees it.
@Suite struct FreeingTests {
  private final class Memory: Sendable {
    let freedBy: @Sendable () -> Void
    init(freedBy: @escaping @Sendable () -> Void) { self.freedBy = freedBy }
    deinit { freedBy() }
  }

  @Test("what a queue is given to free, its thread frees, after the work before")
  func queue() throws {
    let order = Mutex<[String]>([])
    let queue = try BackgroundQueue(name: "free")
    let isOpen = Atomic<Bool>(false)
    queue.free(Memory { while !isOpen.load(ordering: .acquiring) {} })
    queue.free(Memory { order.withLock { $0.append("freed") } })
    // Had this thread freed anything, it would never have come here.
    order.withLock { $0.append("given") }
    isOpen.store(true, ordering: .releasing)
    queue.stop()
    #expect(order.withLock { $0 } == ["given", "freed"])
  }

  @Test("an engine gives back what it lets go, packed tiles and ranks, and once")
  func engine() {
    for packsAhead in [true, false] {
      let spec = AttentionJob(
        batch: 1, queryHeads: 1, keyValueHeads: 1, queryTokens: 64, keyTokens: 64,
        headDimension: 16, element: .float32, mask: .full, scale: 1, layout: .contiguous)
      let plan = Plan(job: spec, vrankCount: 1)
      let engine = FoldEngine(plan: plan, kernel: AttentionKernel(), packsAhead: packsAhead)
      engine.host(VRank(0))
      let payload = [UInt8](repeating: 0, count: plan.payloadBytes(of: .keyValue(0), part: 0))
      _ = payload.withUnsafeBytes { engine.pack(.keyValue(0), [PartPayload(copying: $0)]) }
      #expect(engine.unpack(.keyValue(0)) != nil)
      #expect(engine.unpack(.keyValue(0)) == nil)
      #expect(engine.dropRows(of: VRank(0)) != nil)
      #expect(engine.retire(VRank(0)) != nil)
      #expect(engine.retire(VRank(0)) == nil)
    }
  }
}
