import ElementTypes
import MeshCore
import MeshView
import Testing

/// Pictures of a mesh, line by line.
@Suite struct RingPictureTests {
  private let job = JobID(high: 0xABCD_EF01_0000_0000, low: 1)

  private func summary(folded: Int) -> JobSummary {
    JobSummary(
      job: job, client: "bob@host", state: .running, reason: "",
      spec: AttentionJob(
        batch: 1, queryHeads: 1, keyValueHeads: 1, queryTokens: 10, keyTokens: 10,
        headDimension: 8, element: .float32, mask: .full, scale: 1, layout: .contiguous),
      folded: folded, total: 200, ageSeconds: 9, wallSeconds: 8, submittedAt: 1e9)
  }

  private func traffic(_ compute: Double, _ wait: Double, _ bytes: Int) -> Traffic {
    var traffic = Traffic()
    (traffic.computeSeconds, traffic.waitSeconds) = (compute, wait)
    (traffic.tileBytes, traffic.receivedBytes) = (bytes, 2 * bytes)
    return traffic
  }

  private func worker(_ name: String, _ standing: WorkerStanding) -> WorkerStatus {
    WorkerStatus(
      worker: WorkerID(incarnation: 1), name: name, processID: 1, numerics: "fma", level: "avx2",
      threads: 1, memoryBytes: 1, residentBytes: 1, endpoint: "", silentSeconds: 0, job: job,
      vranks: [], standing: standing)
  }

  private func rank(_ vrank: Int, _ worker: String, next: Int, epoch: UInt64 = 1) -> RankStatus {
    RankStatus(
      vrank: VRank(vrank), epoch: Epoch(term: 1, counter: epoch), worker: worker, next: next,
      needed: 100, copied: 0, durable: 0, isFinal: false)
  }

  private func look(
    at seconds: Double, next: [Int], bytes: Int, workers: [WorkerStatus]? = nil,
    recoveries: [Recovery] = [], events: Int = 0
  ) -> RingPicture.Look {
    let mesh = MeshStatus(
      version: "0.1.0", protocolVersion: 4, term: 17, uptimeSeconds: 60 + seconds, storeBytes: 1024,
      storeQuotaBytes: 1 << 30, isPersistent: true, loopLagSeconds: 0.003,
      workers: [MeshStatus.WorkerCount(standing: .active, count: 2)],
      jobs: [MeshStatus.JobCount(state: .running, count: 1)],
      running: MeshStatus.RunningJob(summary: summary(folded: 90), protection: .peerAndDisk),
      alarms: [])
    let status = JobStatus(
      summary: summary(folded: next.reduce(0, +)), queuePosition: 0, vrankCount: 2, planHash: nil,
      ranks: [rank(0, "w1", next: next[0]), rank(1, "w2", next: next[1])],
      workers: ["w1", "w2"].map { name in
        JobWorkerStatus(
          name: name, level: "avx2", threads: 1,
          traffic: traffic(seconds * 0.9, seconds * 0.1, bytes), residentBytes: 1)
      },
      protection: .peerAndDisk, recoveries: recoveries, neededBytes: 0, workerBytes: 0,
      resultDigests: [])
    return RingPicture.Look(
      seconds: seconds, mesh: mesh,
      workers: workers ?? [worker("w1", .active), worker("w2", .active), worker("s1", .spare)],
      job: status,
      events: (0..<events).map {
        RecordedEvent(
          sequence: UInt64($0) + 1, seconds: 61, wallSeconds: 1e9,
          observation: Observation(.workerJoined, worker: "w\($0)", detail: "event \($0)"))
      })
  }

  @Test("a ring of two workers and a spare, with rates between two looks")
  func ring() {
    let picture = RingPicture(
      endpoint: "tcp://h:7700", look(at: 10, next: [60, 30], bytes: 3_000_000, events: 1),
      before: look(at: 8, next: [50, 28], bytes: 1_000_000))
    #expect(picture.rows.map(\.name) == ["w1", "w2", "s1"])
    #expect(picture.rows.map(\.tilesPerSecond) == [5, 1, 0] && picture.tilesPerSecond == 6)
    #expect(
      picture.lines(width: 110, height: 20) == [
        "attnmesh 0.1.0  tcp://h:7700  up 70.0 s  term 17",
        "workers  2 active   jobs  1 running",
        "job abcdef01 for bob@host running ██████████░░░░░░░░░░░░░░ 45 %  90/200 tiles  8.0 s,"
          + " about 18.3 s left",
        "protection  peer + disk",
        "",
        "  WORKER  STANDING  RANKS      PROGRESS              TILES/S       OUT        IN"
          + "  COMPUTE  WAIT",
        "╭ w1      active    0          █████████░░░░░░ 60 %      5.0  1.0 MB/s  2.0 MB/s"
          + "     90 %  10 %",
        "╰ w2      active    1          ████░░░░░░░░░░░ 30 %      1.0  1.0 MB/s  2.0 MB/s"
          + "     90 %  10 %",
        "  s1      spare                                          0.0     0 B/s     0 B/s"
          + "        -     -",
        "",
        "events",
        "   9.0 s ago  worker-joined worker=w0 event 0",
      ])
  }

  @Test("a lost worker stays in the picture while it hosts; its recovery is told")
  func loss() {
    let recovery = Recovery(
      vrank: VRank(1), epoch: Epoch(term: 1, counter: 2), worker: "w2", processID: 1,
      cause: "its connection broke", detectionSeconds: 0.1, atSeconds: 3.2, host: "w1", lostAt: 3,
      restored: WorkerMessage.Restored(tier: .memory, next: 3), restoreSeconds: 0.2,
      caughtUpSeconds: 0.25)
    let picture = RingPicture(
      endpoint: "e",
      look(
        at: 10, next: [1, 1], bytes: 0, workers: [worker("w1", .active)], recoveries: [recovery]),
      before: nil)
    #expect(picture.rows.map(\.standing) == ["active", "lost"])
    #expect(picture.rows.allSatisfy { $0.tilesPerSecond == 0 }, "one look has no rates")
    #expect(
      picture.lines(width: 120, height: 30).contains(
        "  at 3.2 s  rank 1: w2 → w1  from peer memory, back in 0.25 s  (its connection broke)"))
  }

  @Test("it fits whatever room there is", arguments: [0, 1, 2, 5, 7, 9, 12, 24, 100])
  func fits(height: Int) {
    let picture = RingPicture(
      endpoint: "e", look(at: 10, next: [60, 30], bytes: 1, events: 50), before: nil)
    for width in [1, 10, 40, 80, 300] {
      let lines = picture.lines(width: width, height: height)
      #expect(lines.count <= height && lines.allSatisfy { $0.count <= width })
      // A section needs three lines.
      #expect(lines.count >= height - 2 || height > 50)
    }
  }

  @Test("many workers are cut, and said to be; control characters in names do nothing")
  func many() {
    let crowd = (0..<300).map { worker("w\($0)\u{1B}[2J\n", .active) }
    let picture = RingPicture(
      endpoint: "e", look(at: 10, next: [60, 30], bytes: 1, workers: crowd), before: nil)
    let lines = picture.lines(width: 100, height: 24)
    #expect(lines.count == 24 && lines.contains { $0.hasPrefix("  … ") && $0.hasSuffix("workers") })
    #expect(lines.allSatisfy { line in line.utf8.allSatisfy { $0 >= 0x20 } })
  }

  @Test("a mesh without a job, and one that doesn't answer")
  func idle() {
    var idle = look(at: 10, next: [0, 0], bytes: 0, workers: [])
    idle.job = nil
    let picture = RingPicture(endpoint: "e", idle, before: nil)
    let lines = picture.lines(width: 100, height: 24, silence: 4)
    #expect(lines[0].hasPrefix("no answer for 4.0 s: what follows is old"))
    #expect(lines[2] == "no job runs" && lines.last == "no workers")
  }

  @Test("status on one screen")
  func status() {
    var mesh = look(at: 10, next: [60, 30], bytes: 0).mesh
    #expect(
      mesh.lines(endpoint: "tcp://h:7700") == [
        "coordinator  tcp://h:7700, attnmesh 0.1.0, protocol version 4, term 17",
        "up           70.0 s; its loop was late by at most 3 ms in the last 20 s",
        "store        1.00 KiB of 1.00 GiB; jobs outlive the coordinator",
        "workers      2 active",
        "jobs         1 running",
        "running      abcdef01000000000000000000000001 for bob@host: 45 % of 200 tiles in 8.0 s",
        "protection   peer + disk",
        "alarms       none",
      ])
    mesh.running = nil
    mesh.alarms = [
      RecordedEvent(
        sequence: 9, seconds: 65, wallSeconds: 1e9,
        observation: Observation(.workerLost, worker: "w3\n", detail: "no heartbeat for 0.9 s"))
    ]
    #expect(
      mesh.lines(endpoint: "e").suffix(2) == [
        "alarms", "   5.0 s ago  worker-lost worker=w3� no heartbeat for 0.9 s",
      ])
  }

  @Test("numbers that no number of digits says don't trap")
  func numbers() {
    #expect(decimals(.nan, 1) == "-" && decimals(.infinity, 0) == "-" && decimals(1e300, 2) == "-")
    #expect(
      decimals(0.05, 2) == "0.05" && decimals(-0.001, 1) == "0.0" && decimals(99.99, 1) == "100.0")
    #expect(
      percent(5, of: 0) == "-" && percent(199, of: 200) == "99 %" && percent(9, of: 3) == "100 %")
    #expect(cell("abc", 0) == "" && cell("abc", 2) == "a…" && cell("abc", 5) == "abc  ")
  }
}
