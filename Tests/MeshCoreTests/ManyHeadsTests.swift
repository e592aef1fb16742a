import MeshCore
import Testing

/// Jobs whose tiles have very many heads: what is at hand of them, what is asked for at once, and what
/// admission counts.
@Suite struct ManyHeadsTests {
  /// A tile of 64 MiB, 64 parts; two of them, this worker's first.
  private static let large = sampleJob(
    heads: 512, keyHeads: 512, queries: 512, dimension: 64, mask: .full)

  private func worker(_ job: AttentionJob = large) -> WorkerHarness {
    let worker = WorkerHarness()
    worker.assign(Plan(job: job, vrankCount: 2), hosts: [0, 1], peers: 2)
    return worker
  }

  @Test("windows hold four tiles where they are small, and one however large it is")
  func windows() {
    func window(heads: Int, dimension: Int = 128) -> TileWindow {
      TileWindow(
        plan: Plan(
          job: sampleJob(heads: heads, keyHeads: heads, queries: 600, dimension: dimension),
          vrankCount: 1))
    }
    // 256 KiB a head.
    let small = window(heads: 32)
    #expect(small.tiles == Limits.windowTiles && small.kept == 12 && small.packsAhead)
    #expect(window(heads: 64).tiles == 2 && window(heads: 64).kept == 6)
    #expect(window(heads: 128).tiles == 1 && window(heads: 128).packsAhead)
    let large = window(heads: 4_096)
    #expect(large.tiles == 1 && large.kept == 2 && !large.packsAhead)
  }

  @Test("a tile is asked for a few mebibytes at a time, the next when they are here")
  func pulls() throws {
    let worker = worker()
    let tile = TileID.keyValue(0)
    let first = try #require(worker.pulled.first { $0.0.tile == tile })
    #expect(first.1 == .store && first.0.firstPart == 0)
    #expect(first.0.creditBytes == Limits.pullBytesMaximum)
    worker.deliver(tile, from: .store, parts: 0..<7)
    #expect(!worker.pulled.contains { $0.0.tile == tile })
    worker.deliver(tile, from: .store, parts: 7..<8)
    let next = try #require(worker.pulled.first { $0.0.tile == tile })
    #expect(next.1 == .store && next.0.firstPart == 8)
    #expect(next.0.creditBytes == Limits.pullBytesMaximum)
    // A source that is lost on the way is asked again for what is missing alone.
    worker.deliver(tile, from: .store, parts: 8..<10)
    worker.send(.sourceLost(.store))
    let again = try #require(worker.pulled.first { $0.0.tile == tile })
    #expect(again.0.firstPart == 10 && again.0.creditBytes == Limits.pullBytesMaximum)
    worker.deliver(tile, from: .store, parts: 10..<64)
    let count = worker.pulls(worker.history).count { $0.0.tile == tile }
    #expect(count == 2 + 7, "7 pulls more for 54 parts")
  }

  @Test("what is asked of the store at once is bounded, however many tiles there are to load")
  func storeCredit() {
    let worker = worker(
      sampleJob(heads: 512, keyHeads: 512, queries: 4_096, dimension: 64, mask: .full))
    var (asked, most) = (0, 0)
    var queue = worker.pulled.filter { $0.1 == .store }.map(\.0)
    asked = queue.reduce(0) { $0 + $1.creditBytes }
    while let pull = queue.first, let plan = worker.core.run?.plan {
      most = max(most, asked)
      queue.removeFirst()
      var (part, credit) = (pull.firstPart, pull.creditBytes)
      while credit > 0 {
        let bytes = plan.payloadBytes(of: pull.tile, part: part)
        worker.deliver(pull.tile, from: .store, parts: part..<part + 1)
        (part, credit, asked) = (part + 1, credit - bytes, asked - bytes)
        let more = worker.pulled.filter { $0.1 == .store }.map(\.0)
        queue += more
        asked += more.reduce(0) { $0 + $1.creditBytes }
        most = max(most, asked)
      }
    }
    #expect(most <= Limits.storeCreditBytes + Limits.pullBytesMaximum, "\(most)")
    #expect(worker.core.run?.ranks.allSatisfy { $0.next == 0 } == true && !worker.folding.isEmpty)
  }

  @Test("small parts are bounded in number: a source's socket drops what is beyond its water mark")
  func parts() throws {
    let job = sampleJob(heads: 65_536, keyHeads: 65_536, queries: 4, dimension: 8, mask: .full)
    let worker = WorkerHarness()
    worker.assign(Plan(job: job, vrankCount: 1), hosts: [0], peers: 1)
    let plan = try #require(worker.core.run?.plan)
    #expect(plan.partCount(.keyValue) == 1_024)
    for (pull, _) in worker.pulled {
      let bytes = plan.payloadBytes(of: pull.tile, part: 0)
      #expect(pull.creditBytes <= Limits.pullPartsMaximum * bytes)
    }
  }

  /// Heads, tokens, head dimension.
  private static let shapes = [(1_024, 512, 64), (65_536, 4, 8)]

  @Test("jobs of many heads fit into workers of a gibibyte", arguments: shapes, 1...8)
  func admission(shape: (heads: Int, tokens: Int, dimension: Int), workers: Int) throws {
    let mesh = CoordinatorHarness()
    for number in 1...workers { mesh.join(sampleHello(UInt64(number), memory: 1 << 30)) }
    let job = try #require(
      mesh.queue(
        sampleJob(
          heads: shape.heads, keyHeads: shape.heads, queries: shape.tokens,
          dimension: shape.dimension, mask: .full)))
    #expect(mesh.state(job) == .running, "\(mesh.reason(job))")
  }

  @Test("what heads are packed in is counted for as many threads as a worker has")
  func threads() throws {
    let spec = sampleJob(heads: 1_024, keyHeads: 1_024, queries: 512, dimension: 64, mask: .full)
    let mesh = CoordinatorHarness()
    let threadBytes = Limits.tilesPerFold * 2 * 256 * 64 * 4
    func needed() -> Int {
      let request = SubmitRequest(spec: spec, deadlineSeconds: 0, isDryRun: true)
      return mesh.call(.submit(request))?.submitted?.workerBytes ?? 0
    }
    mesh.join(sampleHello(1, threads: 4))
    let alone = needed()
    mesh.join(sampleHello(2, threads: 96))
    // That of the one with most threads; each is held to its own.
    let most = needed()
    for (memory, large) in [(alone, 4), (alone + 92 * threadBytes, 96)] {
      for (missing, code) in [(0, nil), (1, StatusCode.resourceExhausted)] {
        let mesh = CoordinatorHarness()
        mesh.join(sampleHello(1, memory: memory - missing, threads: large))
        #expect(mesh.call(.submit(SubmitRequest(spec: spec, deadlineSeconds: 0)))?.code == code)
      }
    }
    let pair = CoordinatorHarness()
    pair.join(sampleHello(1, memory: most - 92 * threadBytes, threads: 4))
    pair.join(sampleHello(2, memory: most, threads: 96))
    _ = try #require(pair.queue(spec))
    #expect(pair.table?.peers.count == 2)
  }

  @Test("what admission counts doesn't go below what a job of few heads was given before")
  func ordinary() {
    let job = sampleJob(heads: 32, keyHeads: 8, queries: 32_768, dimension: 128)
    let plan = Plan(job: job, vrankCount: 12)
    let tile = 2 * 256 * 128 * 4 * 8
    // Fourteen packed tiles, and three times as many as frames.
    #expect(MemoryEstimate(plan: plan, workers: 4).workerBytes > (96 << 20) + 14 * 4 * tile)
  }
}
