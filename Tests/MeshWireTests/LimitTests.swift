import MeshCore
import MeshWire
import Testing

extension WireTests {
  @Suite struct LimitTests {
    private static let name = String(repeating: "n", count: Limits.nameBytesMaximum)
    private static let text = String(repeating: "t", count: Limits.textBytesMaximum)
    private static let endpoint = String(repeating: "e", count: WireCaps.endpointBytesMaximum)

    /// The largest of everything.
    private static var largest: [ControlFrame] {
      var job = Samples.summary(.failed, reason: text)
      (job.client, job.name) = (name, name)
      job.result = ResultStatus(.discarded, at: 1e9, client: name)
      job.deadlineAt = 1e9
      (job.folded, job.total) = (1 << 60, 1 << 60)
      let workers = (0..<256).map {
        Samples.workerStatus($0, name: name, endpoint: endpoint, vranks: 256)
      }
      let cause = String(text.prefix(WireCaps.causeBytesMaximum))
      var status = Samples.status(
        ranks: 256, name: name, recoveries: Samples.recoveries(256, name: name, cause: cause))
      status.summary = job
      status.recoveries = status.recoveries.map {
        var recovery = $0
        recovery.restored = WorkerMessage.Restored(tier: .recompute, next: 65_536)
        (recovery.restoreSeconds, recovery.caughtUpSeconds) = (0, 0)
        return recovery
      }
      let replies: [CallReply] = [
        .jobs(
          JobPage(
            jobs: [JobSummary](repeating: job, count: Limits.jobsPerPageMaximum), next: 1 << 60,
            total: 2_000)),
        .workers(workers),
        .status(status), .result(ResultReply(status: status, storeEndpoint: endpoint)),
        .events(Samples.events(256, detail: String(text.prefix(512)))),
      ]
      let heartbeat = WorkerMessage.Heartbeat(
        job: Samples.job, revision: Samples.epochs[1], term: .max, progress: Samples.progress(256),
        held: Samples.held(256),
        unreachable: (0..<256).map { WorkerID(incarnation: .max - $0) },
        computation: Samples.computation, traffic: Samples.traffic,
        residentBytes: 1 << 60)
      return replies.map { .reply(Samples.request, .success($0)) } + [
        .worker(.heartbeat(heartbeat), from: Samples.worker),
        .coordinator(.assign(Samples.assignment(peers: 256, endpoint: endpoint), term: .max)),
      ]
    }

    @Test("the largest messages fit a control frame and decode to what was encoded")
    func largest() throws {
      for frame in Self.largest {
        let bytes = frame.encode()
        #expect(bytes.count <= Limits.controlFrameBytesMaximum)
        #expect(try decodeControl(bytes) == frame)
      }
      #expect(WireMemory.heldBytes == 0)
    }

    @Test("a list of jobs that isn't one page is cut, and what asks for more is refused")
    func jobList() throws {
      let jobs = (0..<300).map { index in
        var job = Samples.summary(.queued)
        job.ageSeconds = Double(index)
        return job
      }
      let page = JobPage(jobs: jobs, next: 7, total: 300)
      let frame = try decodeControl(
        ControlFrame.reply(Samples.request, .success(.jobs(page))).encode())
      let first = JobPage(jobs: Array(jobs.prefix(100)), next: 7, total: 300)
      #expect(frame == .reply(Samples.request, .success(.jobs(first))))
      for request in [ListRequest(limit: 101), ListRequest(prefix: "xy")] {
        let header = Samples.header(.list)
        let frame = try decodeControl(ControlFrame.call(header, .success(.list(request))).encode())
        guard case .call(_, .failure(let failure)) = frame else {
          Issue.record("\(frame)")
          continue
        }
        #expect(failure.code == .invalidArgument)
      }
    }

    @Test("other lists are cut to 256")
    func listCuts() throws {
      let events = Samples.events(300, detail: "")
      let frame = try decodeControl(
        ControlFrame.reply(Samples.request, .success(.events(events))).encode())
      guard case .reply(_, .success(.events(let received))) = frame else {
        Issue.record("\(frame)")
        return
      }
      #expect(received.events == Array(events.events.prefix(256)))
    }

    @Test(
      "text is cut at a character",
      arguments: [
        ("a", 1_024, 1_024), ("ä", 1_024, 1_024), ("aä", 1_023, 1_024), ("€", 1_023, 1_024),
        ("💥", 1_024, 1_024), ("a💥", 1_021, 1_024),
      ])
    func textCut(unit: String, bytes: Int, limit: Int) throws {
      // The units after the first letter are whole characters of 1 to 4 bytes.
      let text = unit.count == 1 ? "" : String(unit.prefix(1))
      let long = text + String(repeating: String(unit.suffix(1)), count: 2_000)
      let frame = try decodeControl(
        ControlFrame.coordinator(.refused(.unavailable, reason: long)).encode())
      guard case .coordinator(.refused(_, let reason)) = frame else {
        Issue.record("\(frame)")
        return
      }
      #expect(long.hasPrefix(reason))
      #expect(reason.utf8.count == bytes)
    }

    @Test("text is cut at a NUL")
    func nul() throws {
      let frame = try decodeControl(
        ControlFrame.coordinator(.refused(.unavailable, reason: "ab\0cd")).encode())
      #expect(frame == .coordinator(.refused(.unavailable, reason: "ab")))
    }

    @Test("a frame beyond its cap is refused before it is read")
    func oversize() {
      let limit = Limits.controlFrameBytesMaximum
      let bytes = [UInt8](repeating: 0x08, count: limit + 1)
      #expect(Kind.control.error(bytes) == .tooLarge(bytes: limit + 1, limit: limit))
      let header = [UInt8](repeating: 0x08, count: 4_097)
      #expect(Kind.data.error(header) == .tooLarge(bytes: 4_097, limit: 4_096))
    }

    @Test("bombs are refused within their budget")
    func bombs() {
      let before = WireMemory.peakBytes
      let unknown = Array(repeating: Writer.number(9, 0), count: 1 << 19).joined()
      for kind in Kind.allCases { #expect(kind.error(Array(unknown)) != nil) }
      #expect(Kind.control.error(Array(unknown.prefix(256 << 10))) != nil)
      // 10⁵ empty elements of a repeated field.
      let progress = Array(repeating: Writer.bytes(3, []), count: 100_000).joined()
      let heartbeat = Writer.version + Writer.bytes(11, Array(progress))
      #expect(Kind.control.error(heartbeat) != nil)
      let vranks = [UInt8](repeating: 1, count: 200_000)
      let workers = Writer.bytes(14, Writer.bytes(1, Writer.bytes(12, vranks)))
      #expect(Kind.control.error(Writer.version + Writer.bytes(31, workers)) != nil)
      // 10⁴ messages, each within the other, in a field that isn't known.
      var nested: [UInt8] = []
      for _ in 0..<10_000 { nested = Writer.bytes(40, nested) }
      #expect(Kind.control.error(nested) != nil)
      #expect(WireMemory.heldBytes == 0)
      let budget = WireCaps.budget(Limits.controlFrameBytesMaximum)
      #expect(WireMemory.peakBytes <= max(before, budget))
    }
  }
}
