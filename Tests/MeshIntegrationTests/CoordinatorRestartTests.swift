import ElementTypes
import Glibc
import MeshCore
import MeshWire
import Testing
import ZeroMQ

extension Integration {
  /// A coordinator that dies and is started again on the same store goes on with every job, and its
  /// workers and clients never notice more than silence.
  @Suite struct CoordinatorRestart {
    @Test func clientAndWorkersOutliveIt() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        let client = try scratch.start(
          ["attend", "--output", scratch.file("o.npy"), "--lse", scratch.file("o-lse.npy")]
            + slow.flags + mesh.flags)
        let job = try jobID(client)
        try mesh.waitUntilCopied(job)
        try mesh.killCoordinator()
        // Long enough for whoever waits to say so; the workers fold what they have.
        try eventually("the client's patience") { client.errors.contains("waiting for it for up") }
        try mesh.restartCoordinator()
        #expect(try client.wait() == .code(0), "\(client.errors)")
        #expect(client.errors.contains("answers again"))
        #expect(try scratch.attended("o") == slow.alone)
        // Or not at all, when all that was left to do was to take in its results.
        #expect(mesh.joined("w1") <= 1 && mesh.joined("w2") <= 1)
        #expect(try mesh.losses(job).isEmpty, "workers that never went were replaced")
        #expect(try mesh.events("coordinator-restarted").count == 1)
      }
    }

    /// A drain that waits for somebody to take over goes on: the worker itself says so.
    @Test func drainGoesOn() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 1, environment: SlowJob.slowness(5))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        func isDraining() throws -> Bool {
          try mesh.worker("w1")?["standing"] as? String == "draining"
        }
        try mesh.output(["drain", "w1", "--no-wait", "--yes"])
        try eventually("the drain") { try isDraining() }
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        try eventually("the drain after the restart") { try isDraining() }
        try mesh.startWorker("w2")
        #expect(try mesh.workers["w1"]?.wait() == .code(0))
        #expect(try mesh.result(job) == slow.alone)
        let recoveries = try mesh.recoveries(job)
        #expect(!recoveries.isEmpty && recoveries.allSatisfy { $0.refolded == 0 })
      }
    }

    /// Jobs in every state.
    @Test func jobsSurvive() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        let small =
          try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 300).write(to: scratch)
        let smallAlone = try scratch.attend(small, name: "small")
        let finished = try mesh.submit(small)
        let first = try mesh.result(finished, name: "first")
        let cancelled = try mesh.submit(small)
        try mesh.output(["cancel", cancelled, "--yes"])
        let discarded = try mesh.submit(small)
        try mesh.output(
          ["result", discarded, "--discard", "--quiet", "--output", scratch.file("d.npy")])
        let running = try mesh.submit(slow.flags)
        let queued = try mesh.submit(small)
        try mesh.waitUntilFolding(running)
        let before = try mesh.summary(queued)
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        #expect(try mesh.result(finished) == first)
        #expect(first == smallAlone)
        #expect(try mesh.state(cancelled) == "cancelled")
        expectRefusal(
          try mesh.run(["result", discarded, "--output", scratch.file("d.npy")]), code: 2,
          "no longer kept")
        #expect(try mesh.result(running) == slow.alone)
        #expect(try mesh.result(queued) == smallAlone)
        let after = try mesh.summary(queued)
        for key in ["job", "client", "query_tokens", "mask"] {
          #expect("\(before[key] ?? 0)" == "\(after[key] ?? 1)")
        }
        #expect((after["age_seconds"] as? Double ?? 0) > (before["age_seconds"] as? Double ?? 1e9))
        // A third one knows the same.
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        #expect(try mesh.result(running, name: "again") == slow.alone)
        #expect(try mesh.result(queued, name: "again") == smallAlone)
      }
    }

    /// What a coordinator may not read it doesn't call lost: it refuses to start and leaves all as it is.
    @Test(.enabled(if: geteuid() == 0, "only root may give files away"))
    func filesOfAnotherUser() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: 1_201)
        let mesh = try Mesh.withStore(scratch, workers: 1, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        try mesh.killCoordinator()
        let directory = scratch.file("store/\(job)")
        let names = scratch.names(in: directory)
        chown(directory + "/query", 1, 1)
        expectRefusal(
          try scratch.run([
            "coordinator", "--listen", mesh.endpoint, "--store", scratch.file("store"),
          ]), code: 2, "job \(job) can't be taken up", "query belongs to another user",
          "nothing was changed")
        #expect(scratch.names(in: directory) == names)
        chown(directory + "/query", 0, 0)
        try mesh.restartCoordinator()
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// Killed at its commits: before one is on disk, and right after.
    @Test(arguments: ["commit:kill:4", "committed:kill:4", "commit:kill:7", "committed:kill:9"])
    func killedAtACommit(point: String) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: 1_201)
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        try mesh.killCoordinator()
        try mesh.restartCoordinator(["ATTNMESH_FAILPOINT": point])
        let client = try scratch.start(
          ["attend", "--output", scratch.file("o.npy"), "--lse", scratch.file("o-lse.npy")]
            + slow.flags + mesh.flags)
        #expect(try mesh.coordinator.wait() == .signal(9))
        try mesh.restartCoordinator()
        #expect(try client.wait() == .code(0), "\(client.errors)")
        #expect(try scratch.attended("o") == slow.alone)
      }
    }

    /// A worker dies while nobody is there to notice.
    @Test func workerDiesMeanwhile() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 3, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        try mesh.killCoordinator()
        try mesh.kill("w2")
        try mesh.restartCoordinator()
        #expect(try mesh.result(job) == slow.alone)
        let recoveries = try mesh.losses(job)
        #expect(!recoveries.isEmpty && recoveries.allSatisfy { $0.worker == "w2" })
        #expect(recoveries.allSatisfy { $0.cause.contains("did not come back") }, "\(recoveries)")
      }
    }

    /// One of the same name came in the meantime: that the old one is given up takes nothing from it, not
    /// even its connection, by which its end is noticed at once.
    @Test func workerOfTheSameNameStays() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        try mesh.killCoordinator()
        try mesh.kill("w1")
        try mesh.restartCoordinator()
        try mesh.startWorker("w1")
        try eventually("the loss of the old one") {
          mesh.observed("worker-lost worker=w1 ").contains { $0.contains("did not come back") }
        }
        try mesh.kill("w1")
        try eventually("the loss of the new one") {
          mesh.observed("worker-lost worker=w1 ").contains { $0.contains("connection broke") }
        }
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// All workers die while nobody is there to notice.
    @Test func allWorkersDieMeanwhile() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        try mesh.killCoordinator()
        for name in ["w1", "w2"] { try mesh.kill(name) }
        try mesh.restartCoordinator()
        try mesh.startWorker("w3")
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// Again and again, in the middle of one job.
    @Test func manyTimes() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        for _ in 0..<4 {
          try eventually("the job to get on") {
            try ["running", "finishing", "done"].contains(mesh.state(job))
          }
          try mesh.killCoordinator()
          try mesh.restartCoordinator()
        }
        #expect(try mesh.result(job) == slow.alone)
        #expect(try mesh.losses(job).isEmpty)
      }
    }

    /// What hasn't arrived when it dies has to be sent again; the client is told so.
    @Test func uploadIsCutOff() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 1)
        let flags = try writeLargeInputs(to: scratch)
        // The first commit takes the job in, the second knows that its tensors are there.
        try mesh.killCoordinator()
        try mesh.restartCoordinator(["ATTNMESH_FAILPOINT": "commit:kill:2"])
        let client = try scratch.start(
          ["attend", "--quiet", "--output", scratch.file("o.npy")] + flags + mesh.flags)
        try mesh.coordinator.wait()
        try mesh.restartCoordinator()
        expectRefusal(client, code: 1, "before all its tensors had arrived; submit it again")
      }
    }

    /// Without a store nothing outlives it: the client learns that as soon as it is back.
    @Test func withoutAStore() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(
          scratch, workers: 2, port: try TCPProxy.freePort(beside: 1),
          environment: SlowJob.environment)
        let client = try scratch.start(
          ["attend", "--output", scratch.file("o.npy")] + slow.flags + mesh.flags)
        try mesh.waitUntilFolding(jobID(client))
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        #expect(try client.wait() == .code(3))
        #expect(client.errorLines.last?.contains("no longer knows job") == true)
        // The workers come back by themselves, and are free.
        try eventually("both workers") { try mesh.workerNames() == ["w1", "w2"] }
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    /// Whoever follows events is told that the story begins anew.
    @Test func followersOfEvents() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 1)
        let follower = try scratch.start(["events", "--follow"] + mesh.flags)
        try eventually("the first news") { follower.output.contains("worker-joined") }
        // More than the next coordinator will have to tell.
        try expectNextJobIsRight(mesh, workers: 1)
        try eventually("the news") { follower.output.contains("job-done") }
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        try eventually("the news of the other one") {
          follower.output.contains("coordinator-restarted")
        }
        #expect(follower.errors.contains("the coordinator was restarted"))
        follower.signal(SIGINT)
        #expect(try follower.wait() == .code(130))
      }
    }

    /// A submit that is tried again under its request id is one job, also across a restart; the same
    /// id with something else is refused.
    @Test func sameRequestIDIsOneJob() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 0)
        let request = RequestID(high: 7, low: 9)
        let first = try submit(request, tokens: 500, to: mesh)
        #expect(try submit(request, tokens: 500, to: mesh) == first)
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        #expect(try submit(request, tokens: 500, to: mesh) == first)
        #expect(try submit(request, tokens: 501, to: mesh) == "used for another request")
        #expect(try submit(RequestID(high: 7, low: 10), tokens: 500, to: mesh) != first)
        let jobs = try json(mesh.output(["jobs", "--json"])) as? [[String: Any]] ?? []
        #expect(jobs.count == 2)
      }
    }

    /// Submits a job as a client does, under an id of one's own choice; gives the job's id, or what is
    /// wrong.
    private func submit(_ request: RequestID, tokens: Int, to mesh: Mesh) throws -> String {
      var options = SocketOptions(
        sendHighWaterMark: 10, receiveHighWaterMark: 10,
        maximumFrameBytes: Limits.controlFrameBytesMaximum)
      options.routingID = Array("c\(UInt64.random(in: 1...UInt64.max))".utf8)
      let socket = try OwnedSocket(.dealer, context: try Context(), options: options)
      try socket.socket.connect(mesh.endpoint)
      let spec = AttentionJob(
        batch: 1, queryHeads: 1, keyValueHeads: 1, queryTokens: tokens, keyTokens: tokens,
        headDimension: 8, element: .float32, mask: .full, scale: 1, layout: .contiguous)
      let call = CallRequest.submit(
        SubmitRequest(spec: spec, deadlineSeconds: 0, isProtected: true))
      let header = CallHeader(
        request: request, role: .client, client: "test", method: call.method.rawValue,
        remaining: .seconds(30))
      let frame = ControlFrame.call(header, .success(call))
      try eventually("a connection") {
        try socket.socket.send(Message(header: Frame(frame.encode()))) == .sent
      }
      return try eventually("the reply") {
        guard let message = try socket.socket.receive() else { return nil }
        let frame = message.header.withUnsafeBytes { try? ControlFrame(decoding: $0) }
        guard case .reply(request, let outcome) = frame else { return nil }
        switch outcome {
        case .success(.submitted(let reply)): return "\(reply.job)"
        case .success: return "a reply to something else"
        case .failure(let failure):
          return failure.code == .alreadyExists ? "used for another request" : failure.message
        }
      }
    }

    /// The id that a remote `attend` tells at once.
    private func jobID(_ client: Program) throws -> String {
      let line = try eventually("the job's id") {
        client.errors.contains("\n") ? client.errorLines.first : nil
      }
      return String(line.dropFirst("attnmesh: job ".count))
    }
  }
}
