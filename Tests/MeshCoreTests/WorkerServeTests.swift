import MeshCore
import Testing

/// What a worker answers its peers.
@Suite struct WorkerServeTests {
  /// Three workers with one rank each, four K/V tiles of three parts each. This one owns tile 0,
  /// needs tile 1 of peer 1 and tiles 2 and 3 of peer 2, and asks peer 2 for tile 1's successors.
  private func worker(mask: MaskRule = .full) throws -> WorkerHarness {
    let job = sampleJob(
      heads: 6, keyHeads: 6, queries: 1_024, dimension: 256, mask: mask)
    let plan = Plan(job: job, vrankCount: 3)
    try #require(plan.partCount(.keyValue) == 3 && plan.keyTiles(of: VRank(0)) == [0])
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    return worker
  }

  @Test("what is resident is answered with HAVE and all parts")
  func have() throws {
    let worker = try worker()
    worker.deliver(.keyValue(0), from: .store)
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(7)))
    #expect(worker.answers == [.have])
    #expect(worker.served == [[7, 0, 0], [7, 0, 1], [7, 0, 2]])
    worker.send(.pull(worker.pull(.keyValue(0), firstPart: 2), from: link(7)))
    #expect(worker.served == [[7, 0, 2]])
  }

  @Test("what is under way is answered with COMING and forwarded part by part")
  func coming() throws {
    let worker = try worker()
    worker.deliver(.keyValue(0), from: .store, parts: 0..<1)
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(7)))
    #expect(worker.answers == [.coming] && worker.served == [[7, 0, 0]])
    worker.send(.pull(worker.pull(.keyValue(0), firstPart: 2), from: link(8)))
    #expect(worker.answers == [.coming] && worker.served.isEmpty)
    worker.deliver(.keyValue(0), from: .store, parts: 1..<2)
    #expect(worker.served == [[7, 0, 1]])
    // A second request of the same link replaces the first.
    worker.send(.pull(worker.pull(.keyValue(0), firstPart: 2), from: link(7)))
    worker.deliver(.keyValue(0), from: .store, parts: 2..<3)
    #expect(worker.served.sorted { $0[0] < $1[0] } == [[7, 0, 2], [8, 0, 2]])
  }

  @Test("a part is passed on before anything is packed or folded")
  func forwardingFirst() throws {
    let worker = try worker()
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(7)))
    worker.deliver(.keyValue(0), from: .store)
    let serve = worker.effects.firstIndex {
      if case .job(_, .tile(.serve)) = $0 { true } else { false }
    }
    let pack = worker.effects.firstIndex {
      if case .job(_, .tile(.pack)) = $0 { true } else { false }
    }
    #expect(try #require(serve) < #require(pack))
  }

  @Test("a link that closed gets nothing more")
  func linkClosed() throws {
    let worker = try worker()
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(7)))
    worker.send(.linkClosed(link(7)))
    worker.deliver(.keyValue(0), from: .store, parts: 0..<1)
    #expect(worker.served.isEmpty)
  }

  @Test("a foreign tile outside the window is answered with NO")
  func no() throws {
    // Causal: rank 0 sees nothing beyond tile 1.
    let worker = try worker(mask: .causal)
    worker.send(.pull(worker.pull(.keyValue(3)), from: link(7)))
    #expect(worker.answers == [.no] && worker.served.isEmpty)
  }

  @Test("no more is sent than the credit covers", arguments: [-1, 0, 1, 2, 3])
  func credit(parts: Int) throws {
    let size = 2 * 2 * 256 * 256 * 4
    let worker = try worker()
    worker.send(.pull(worker.pull(.keyValue(0), credit: parts * size + size / 2), from: link(8)))
    worker.deliver(.keyValue(0), from: .store)
    let waited = worker.history.count {
      if case .job(_, .tile(.serve)) = $0 { true } else { false }
    }
    #expect(waited == max(0, parts))
    worker.send(.pull(worker.pull(.keyValue(0), credit: parts * size), from: link(7)))
    #expect(worker.served.count == max(0, parts))
  }

  @Test("an epoch lower than one seen is refused, also one this worker was never told of")
  func staleEpoch() throws {
    let worker = try worker()
    worker.deliver(.keyValue(0), from: .store)
    worker.send(.pull(worker.pull(.keyValue(0), vrank: 1, epoch: 1), from: link(7)))
    #expect(worker.answers == [.stale] && worker.served.isEmpty)
    worker.send(.pull(worker.pull(.keyValue(0), vrank: 1, epoch: 2), from: link(7)))
    #expect(worker.answers == [.have])
    worker.send(.pull(worker.pull(.keyValue(0), vrank: 1, epoch: 5), from: link(7)))
    worker.send(.pull(worker.pull(.keyValue(0), vrank: 1, epoch: 4), from: link(7)))
    #expect(worker.answers == [.stale])
  }

  @Test("hostile pulls are answered and harm nothing")
  func hostile() throws {
    for isLoaded in [false, true] {
      let worker = try worker()
      if isLoaded { worker.deliver(.keyValue(0), from: .store) }
      let extremes = [Int.min, -1, 3, 4, Int.max]
      for first in extremes {
        for credit in [Int.min, -1, 0, Int.max] {
          let pull = worker.pull(.keyValue(0), firstPart: first, credit: credit)
          worker.send(.pull(pull, from: link(7)))
          #expect(worker.answers.count == 1)
          if first >= 3 { #expect(worker.served.isEmpty) }
        }
      }
      for index in [Int.min, -1, 4, Int.max] {
        worker.send(.pull(worker.pull(.keyValue(index)), from: link(7)))
        #expect(worker.answers == [.no])
        worker.send(.pull(worker.pull(.keyValue(0), vrank: index), from: link(7)))
        #expect(worker.answers == [.no])
      }
      let strange = [
        worker.pull(.query(0)), worker.pull(.keyValue(0), tag: 0),
        worker.pull(.keyValue(0), job: JobID(high: 5, low: 5)),
      ]
      for pull in strange {
        worker.send(.pull(pull, from: link(7)))
        #expect(worker.answers == [.no] && worker.served.isEmpty)
      }
    }
  }

  @Test("without a job every pull is answered with NO, and nothing else does anything")
  func withoutJob() {
    let worker = WorkerHarness()
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(7)))
    #expect(worker.answers == [.no])
    let ofJob: [JobEvent] = [
      .answer(.have, .keyValue(0), from: .store),
      .part(.keyValue(0), part: 0, from: .store, noBytes),
      .badPart(.keyValue(0), from: peer(3)), .sourceLost(.store),
      .folded(VRank(0), .lowest, next: 1, cost: .zero), .finished(VRank(0), .lowest),
    ]
    let events =
      ofJob.map { Worker.Event.job(worker.job, $0) } + [
        .linkClosed(link(1)),
        .coordinator(.release(worker.job, isOver: true, term: 0)),
      ]
    for event in events {
      worker.send(event)
      #expect(worker.effects.isEmpty)
    }
  }
}
