import Glibc
import Testing

extension Integration {
  /// Workers that go in order and workers that come: nothing is folded twice.
  @Suite struct RelievedWorkers {
    @Test(arguments: [SIGTERM, SIGINT])
    func signalledWorkerHandsOver(signal: Int32) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 3, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        mesh.workers["w2"]?.signal(signal)
        #expect(try mesh.workers["w2"]?.wait() == .code(0))
        try expectHandOver(mesh, job, from: "w2")
        #expect(try mesh.result(job) == slow.alone)
        #expect(mesh.observed("worker-lost").isEmpty)
        #expect(try mesh.events("worker-left").count == 1)
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    /// A second signal ends it at once; others go on from the last copy.
    @Test func secondSignal() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        mesh.workers["w1"]?.signal(SIGTERM)
        try eventually("the drain") { try mesh.worker("w1")?["standing"] as? String == "draining" }
        mesh.workers["w1"]?.signal(SIGTERM)
        #expect(try mesh.workers["w1"]?.wait() == .code(130))
        try mesh.startWorker("w2")
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    @Test func drainedWorkerHandsOver() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 3, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        let drain = try mesh.run(["drain", "w2", "--yes"])
        #expect(try drain.wait() == .code(0))
        #expect(drain.output == "w2 has gone\n")
        #expect(try mesh.workers["w2"]?.wait() == .code(0))
        try expectHandOver(mesh, job, from: "w2")
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    @Test func drainOfAnIdleWorker() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        #expect(try mesh.output(["drain", "w1", "--yes"]) == "w1 has gone\n")
        #expect(try mesh.workers["w1"]?.wait() == .code(0))
        #expect(try mesh.workerNames() == ["w2"])
        expectRefusal(
          try mesh.run(["drain", "w1", "--yes"]), code: 2, "no worker named w1 here",
          "there are w2", "attnmesh workers")
        expectRefusal(
          try mesh.run(["drain", "--yes", "--no-wait", ""]), code: 2, "no worker named")
        #expect(try mesh.output(["drain", "w2", "--yes", "--no-wait", "--quiet"]) == "")
        #expect(try mesh.workers["w2"]?.wait() == .code(0))
      }
    }

    /// There is nobody to take over: it waits, and so does who asked.
    @Test(arguments: [[], ["--spare"]])
    func drainOfTheOnlyWorker(flags: [String]) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.slowness(5))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        let drain = try scratch.start(["drain", "w1", "--yes"] + mesh.flags)
        try eventually("the drain") { try mesh.worker("w1")?["standing"] as? String == "draining" }
        try eventually("what it waits for") { drain.errors.contains("w1 still hosts virtual rank") }
        #expect(try mesh.output(["workers"]).contains("draining"))
        // It goes on folding in the meantime.
        let folded = try mesh.summary(job)["tiles_folded"] as? Int ?? 0
        try mesh.waitUntil(job, "more folds") { status in
          let summary = status["summary"] as? [String: Any]
          return (summary?["tiles_folded"] as? Int ?? 0) > folded
        }
        #expect(drain.isRunning)
        try mesh.startWorker("w2", flags)
        #expect(try drain.wait() == .code(0), "\(drain.errors)")
        #expect(try mesh.workers["w1"]?.wait() == .code(0))
        try expectHandOver(mesh, job, from: "w1")
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// Ctrl-C ends the waiting, not the draining.
    @Test func interruptedDrain() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        let drain = try scratch.start(["drain", "w1", "--yes", "--quiet"] + mesh.flags)
        try eventually("the drain") { try mesh.worker("w1")?["standing"] as? String == "draining" }
        drain.signal(SIGINT)
        expectRefusal(drain, code: 130, "interrupted; w1 is drained all the same")
        try mesh.startWorker("w2")
        #expect(try mesh.workers["w1"]?.wait() == .code(0))
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// Every worker is replaced in mid-job, one after the other.
    @Test func rollingRestart() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        for name in ["w1", "w2"] {
          try mesh.output(["drain", name, "--yes"])
          #expect(try mesh.workers[name]?.wait() == .code(0))
          try mesh.startWorker(name)
        }
        #expect(try mesh.result(job) == slow.alone)
        #expect(try mesh.recoveries(job).allSatisfy { $0.refolded == 0 })
        #expect(mesh.observed("worker-lost").isEmpty)
      }
    }

    @Test func spareTakesOver() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.environment)
        try mesh.startWorker("s1", ["--spare"])
        #expect(try mesh.worker("s1")?["standing"] as? String == "spare")
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        #expect(try !mesh.isHosting("s1", job))
        try mesh.kill("w2")
        #expect(try mesh.result(job) == slow.alone)
        let recoveries = try mesh.losses(job)
        #expect(!recoveries.isEmpty && recoveries.allSatisfy { $0.host == "s1" })
      }
    }

    @Test func joiningWorkerTakesItsShare() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        try mesh.startWorker("w2")
        try mesh.waitUntil(job, "w2's share") { _ in try mesh.isHosting("w2", job) }
        #expect(try mesh.result(job) == slow.alone)
        try expectHandOver(mesh, job, from: "w1")
      }
    }

    /// What one client asks for while others are lost.
    @Test func cancelDuringRecovery() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        try mesh.kill("w1")
        #expect(try mesh.output(["cancel", job, "--yes"]).contains("is cancelled"))
        try expectNextJobIsRight(mesh, workers: 1)
      }
    }

    private func expectHandOver(_ mesh: Mesh, _ job: String, from worker: String) throws {
      // A rank that has just moved may not have told yet where it goes on.
      let recoveries = try eventually("the hand-over") {
        let found = try mesh.recoveries(job)
        if try mesh.state(job) == "done" { return found }
        return found.allSatisfy { $0.tier != nil } ? found : nil
      }
      #expect(!recoveries.isEmpty)
      for recovery in recoveries {
        #expect(recovery.worker == worker, "\(recovery)")
        #expect(recovery.cause == "handed over", "\(recovery)")
        #expect(recovery.refolded == 0, "\(recovery)")
      }
    }
  }
}
