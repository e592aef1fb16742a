import MeshCore
import MeshWire
import Testing

extension WireTests {
  @Suite struct RecoveryLimitTests {
    @Test("of many recoveries the newest 256 are sent, their causes cut to 256 bytes")
    func recoveries() throws {
      let text = String(repeating: "t", count: Limits.textBytesMaximum)
      let many = Samples.recoveries(300, cause: text)
      let status = Samples.status(ranks: 1, recoveries: many)
      let frame = try decodeControl(
        ControlFrame.reply(Samples.request, .success(.status(status))).encode())
      guard case .reply(_, .success(.status(let received))) = frame else {
        Issue.record("\(frame)")
        return
      }
      let cause = String(text.prefix(256))
      #expect(received.recoveries == Array(Samples.recoveries(300, cause: cause).suffix(256)))
    }

    @Test("the longest lists of the smallest elements are within the budget of memory")
    func smallest() throws {
      let epoch = Samples.epochs[0]
      let vrank = VRank(0)
      var status = Samples.emptyStatus
      status.ranks = Array(
        repeating: RankStatus(
          vrank: vrank, epoch: epoch, worker: "", next: 0, needed: 0, copied: 0, durable: 0,
          isFinal: false), count: 256)
      status.workers = Array(
        repeating: JobWorkerStatus(
          name: "", level: "", threads: 0, traffic: Traffic(), residentBytes: 0), count: 256)
      status.recoveries = Array(
        repeating: Recovery(
          vrank: vrank, epoch: epoch, worker: "", processID: 0, cause: "", detectionSeconds: 0,
          atSeconds: 0, host: "", lostAt: 0,
          restored: WorkerMessage.Restored(tier: .memory, next: 0), restoreSeconds: nil,
          caughtUpSeconds: nil), count: 256)
      let progress = WorkerMessage.Progress(
        vrank: vrank, epoch: epoch, next: 0, needed: 0,
        restored: WorkerMessage.Restored(tier: .memory, next: 0))
      let held = WorkerMessage.HeldCopy(vrank: vrank, epoch: epoch, next: 0)
      let heartbeat = WorkerMessage.Heartbeat(
        job: nil, term: 0, progress: Array(repeating: progress, count: 256),
        held: Array(repeating: held, count: 256))
      let host = Assignment.Host(peer: nil, epoch: epoch, isFresh: false)
      let hosts = Array(repeating: host, count: 256)
      let frames: [ControlFrame] = [
        .reply(Samples.request, .success(.status(status))),
        .worker(.heartbeat(heartbeat), from: Samples.worker),
        .coordinator(
          .assign(Samples.assignment(peers: 256, endpoint: "", hosts: hosts), term: 0)),
      ]
      for frame in frames { #expect(try decodeControl(frame.encode()) == frame) }
    }
  }
}
