import AttentionKernels
import FoldEngine
import MeshCore
import MeshRuntime
import Testing

/// The backward pass of some heads, step by step.
@Suite struct GradientRunTests {
  private enum Event: Hashable {
    case step(Int)
    case read(GradientRun.Source, from: Int)
    case take(GradientRun.Gradient, from: Int)
  }

  private struct End: Error {}

  /// What a run does.
  ///
  /// - Parameter last: the step before which it is ended.
  private func events(endingAt last: Int = .max) throws -> [Event] {
    let job = sampleJob
    let run = GradientRun(
      job: job, mask: job.attentionMask(blocks: nil), keyHeads: 1..<2,
      kernel: AttentionKernel(level: try KernelLevel.chosen()),
      statistics: RowStatistics(job: job), outputGradientType: .float32)
    var events: [Event] = []
    do {
      try run.run(on: CallingThread()) { tensor, heads, tokens in
        events.append(.read(tensor, from: tokens.lowerBound))
        return PartPayload(byteCount: heads.count * tokens.count * job.headDimension * 4) {
          $0.initializeMemory(as: UInt8.self, repeating: 0)
        }
      } take: { gradient, _, tokens, _ in
        events.append(.take(gradient, from: tokens.lowerBound))
      } goOn: { progress in
        #expect(progress.total == run.stepCount)
        events.append(.step(progress.done))
        if progress.done == last { throw End() }
      }
      #expect(events.last == .step(run.stepCount))
    } catch is End {
    }
    return events
  }

  @Test("between two steps it reads one tile, and hands out one")
  func steps() throws {
    let all = try events()
    var (steps, since): (Int, Set<Event>) = (0, [])
    for event in all {
      switch event {
      case .step(let done):
        #expect(done == steps)
        (steps, since) = (steps + 1, [])
      case .read(.key, _), .read(.query, _), .take(.key, _), .take(.query, _):
        since.insert(event)
        // A wave reads one query tile and hands out another.
        #expect(since.count { if case .read = $0 { true } else { false } } <= 1, "\(event)")
        #expect(since.count { if case .take = $0 { true } else { false } } <= 1, "\(event)")
      default: break
      }
      #expect(steps > 0, "\(event) came before the first step")
    }
    #expect(all.contains(.take(.value, from: 512)))
  }

  @Test("it ends before any step at once")
  func ends() throws {
    let all = try events()
    for (place, event) in all.enumerated() {
      guard case .step(let step) = event else { continue }
      #expect(try events(endingAt: step) == Array(all[...place]))
    }
  }
}
