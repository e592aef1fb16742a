import Glibc
import Testing

extension Integration {
  /// Workers that hang, and jobs that kill whoever works for them.
  @Suite struct BadWorkers {
    /// A compute thread that never comes back is found although heartbeats go on, and its process ends.
    @Test func hungRemoteWorker() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.slowness(25))
        let hanging = try mesh.startWorker("w3", [], SlowJob.slowness(25, "compute:hang:40"))
        let job = try mesh.submit(slow.flags)
        #expect(try hanging.wait() == .code(1))
        #expect(
          hanging.errorLines.last?.contains("has ended this worker: hung: its compute threads")
            == true, "\(hanging.errors)")
        #expect(try mesh.result(job) == slow.alone)
        let recoveries = try mesh.losses(job)
        #expect(!recoveries.isEmpty && recoveries.allSatisfy { $0.worker == "w3" })
        #expect(recoveries.allSatisfy { $0.cause.hasPrefix("hung: ") }, "\(recoveries)")
        #expect(recoveries.allSatisfy { $0.detectionSeconds >= 1.5 }, "\(recoveries)")
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    /// A thread of several hangs: those that go on don't hide it for ever.
    @Test func oneThreadOfTwoHangs() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.environment)
        let hanging = try mesh.startWorker(
          "w2", ["--threads", "2"], SlowJob.slowness(10, "compute:hang:40"))
        let job = try mesh.submit(slow.flags)
        #expect(try hanging.wait() == .code(1))
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// A worker whose loop stops while it hands in its result.
    @Test(arguments: [
      "assign:kill:1", "fold:kill:2", "snapshot:kill:1", "send-copy:kill:2", "keep-copy:kill:2",
      "finish:kill:1", "send-result:kill:2", "send-final:kill:1", "send-final:abort:2",
    ])
    func diesAt(point: String) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: 1_801)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.slowness(5))
        let bad = try mesh.startWorker("w3", [], SlowJob.slowness(5, point))
        let job = try mesh.submit(slow.flags)
        #expect(try mesh.result(job) == slow.alone)
        #expect(try bad.wait() == .signal(point.contains("abort") ? 6 : 9))
      }
    }

    /// Dies while it takes over from another.
    @Test(arguments: ["pull-state:kill:1", "load-state:kill:1", "restore-held:kill:1"])
    func diesWhileItRestores(point: String) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.environment)
        let bad = try mesh.startWorker("w2", [], SlowJob.slowness(10, point))
        try mesh.startWorker("w3")
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        try mesh.kill("w3")
        #expect(try mesh.result(job) == slow.alone)
        _ = bad
      }
    }

    /// A job that kills every worker must not eat them all: after three in a row that got it no
    /// further it ends, with the reason, and the next job runs.
    @Test func poisonousJob() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 0)
        let poison = ["ATTNMESH_FAILPOINT": "fold:abort:1"]
        let job = try mesh.submit(slow.flags)
        for number in 1...3 {
          try mesh.startWorker("p\(number)", [], poison)
          #expect(try mesh.workers["p\(number)"]?.wait() == .signal(6))
          try eventually("the loss of p\(number)") {
            !mesh.observed("worker-lost worker=p\(number) ").isEmpty
          }
        }
        // Nobody has seen them end, and until that is certain no fourth one is risked.
        let fourth = try mesh.startWorker("p4", [], poison)
        expectRefusal(
          try mesh.run(["result", job, "--output", scratch.file("o.npy")]), code: 1,
          "3 workers in a row were lost at virtual rank", "which doesn't get beyond K/V tile",
          "the last one was p3: its connection broke")
        #expect(fourth.isRunning)
        try mesh.kill("p4")
        try mesh.startWorker("w1")
        try expectNextJobIsRight(mesh, workers: 1)
      }
    }

    /// Ctrl-C while the mesh recovers leaves nothing behind.
    @Test(arguments: [SIGINT, SIGTERM, SIGKILL])
    func interruptedDuringRecovery(signal: Int32) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        // Whoever takes over takes long.
        let run = try LocalRun(
          scratch, inputs: slow.flags, workers: 3, environment: SlowJob.slowness(30))
        try run.waitUntilFolding()
        kill(try #require(scratch.worker(named: "worker-2")), SIGKILL)
        try eventually("the loss") { scratch.worker(named: "worker-2") == nil }
        run.program.signal(signal)
        if signal == SIGKILL {
          #expect(try run.program.wait() == .signal(9))
          try eventually("the end of all workers") { scratch.processes.isEmpty }
        } else {
          #expect(try run.program.wait() == .code(130))
          #expect(run.program.errorLines.count == 1)
        }
        #expect(run.outputs.isEmpty)
        #expect(scratch.processes.map(\.arguments) == [])
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }

    /// The same on a mesh that stays: the job is cancelled, and its workers are free.
    @Test func interruptedRemotely() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.slowness(30))
        let client = try scratch.start(
          ["attend", "--quiet", "--output", scratch.file("o.npy")] + slow.flags + mesh.flags)
        let job = try eventually("the job") {
          mesh.observed("job-submitted").first?.firstMatch(of: /job=([0-9a-f]+)/)
            .map { String($0.1) }
        }
        try mesh.waitUntilFolding(job)
        try mesh.kill("w1")
        client.signal(SIGINT)
        expectRefusal(client, code: 130, "interrupted", job)
        #expect(try mesh.state(job) == "cancelled")
        #expect(!scratch.exists("o.npy"))
        try expectNextJobIsRight(mesh, workers: 1)
      }
    }
  }
}
