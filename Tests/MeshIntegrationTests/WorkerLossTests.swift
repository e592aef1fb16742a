import Glibc
import Testing

extension Integration {
  /// A worker that dies, hangs or is cut off costs a job some tiles and no bits; the job tells what
  /// happened. Without protection it ends the job with one line that says where.
  @Suite struct WorkerLoss {
    @Test(arguments: [SIGKILL, SIGSTOP])
    func localWorker(signal: Int32) throws {
      try withScratch { scratch in
        let job = try SlowJob(scratch)
        let run = try LocalRun(
          scratch, inputs: job.flags, workers: 3, environment: SlowJob.slowness(20))
        try run.waitUntilCopied()
        let victim = try #require(scratch.worker(named: "worker-2"))
        kill(victim, signal)
        let (result, report) = try run.result()
        #expect(result == job.alone)
        #expect(run.program.errors == "")
        let failures = report["failures"] as? [String] ?? []
        #expect(failures.count == 1, "\(failures)")
        // Its connection breaks as its process ends: whichever is noticed first is told.
        let causes =
          signal == SIGSTOP
          ? ["no heartbeat for"] : ["its process was ended by signal 9", "its connection broke"]
        #expect(
          causes.contains {
            failures.first?.hasPrefix("worker-2 (process \(victim)): \($0)") == true
          }, "\(failures)")
        let recoveries = try (report["recoveries"] as? [[String: Any]] ?? []).map {
          try Recovered($0)
        }
        #expect(!recoveries.isEmpty)
        #expect(scratch.processes.isEmpty)
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }

    @Test func localSpareTakesOver() throws {
      try withScratch { scratch in
        let job = try SlowJob(scratch)
        let run = try LocalRun(
          scratch, inputs: job.flags, workers: 2, more: ["--spares", "1"],
          environment: SlowJob.environment)
        try run.waitUntilCopied()
        kill(try #require(scratch.worker(named: "worker-1")), SIGKILL)
        let (result, report) = try run.result()
        #expect(result == job.alone)
        let recoveries = (report["recoveries"] as? [[String: Any]] ?? [])
          .filter { $0["cause"] as? String != "handed over" }
        #expect(!recoveries.isEmpty)
        #expect(recoveries.allSatisfy { $0["host"] as? String == "worker-3" }, "\(recoveries)")
      }
    }

    @Test func allLocalWorkers() throws {
      try withScratch { scratch in
        let job = try SlowJob(scratch)
        let run = try LocalRun(
          scratch, inputs: job.flags, workers: 2, environment: SlowJob.environment)
        try run.waitUntilFolding()
        for worker in scratch.workers { kill(worker, SIGKILL) }
        // Who notices first, the one who started them or the coordinator, is up to the machine.
        expectRefusal(run.program, code: 1, "every worker was lost")
        #expect(run.outputs.isEmpty)
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }

    /// The job's story names who was lost, how that was found, and what it cost.
    @Test func killedRemoteWorker() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 3, environment: SlowJob.slowness(20))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntil(job, "copies of what w2 folds") { status in
          (status["ranks"] as? [[String: Any]] ?? []).contains {
            $0["worker"] as? String == "w2" && ($0["copied"] as? Int ?? 0) > 0
          }
        }
        let process = try #require(mesh.workers["w2"]?.process)
        try mesh.kill("w2")
        #expect(try mesh.result(job) == slow.alone)
        let recoveries = try mesh.losses(job)
        #expect(!recoveries.isEmpty)
        for recovery in recoveries {
          #expect(recovery.worker == "w2")
          #expect(recovery.process == Int(process))
          #expect(recovery.cause == "its connection broke")
          #expect(["w1", "w3"].contains(recovery.host))
          #expect(["peer memory", "recomputed"].contains(recovery.tier ?? ""), "\(recovery)")
          #expect((recovery.refolded ?? -1) >= 0)
          #expect(recovery.detectionSeconds >= 0)
          #expect((recovery.recoverySeconds ?? -1) >= 0)
        }
        #expect(recoveries.contains { $0.tier == "peer memory" })
        let text = try mesh.output(["job", job])
        for word in ["LOST", "REFOLDED", "its connection broke", "peer memory"] {
          #expect(text.contains(word), "\(text)")
        }
        let line = try #require(
          text.split(separator: "\n").first { $0.contains("connection broke") })
        let row = #/\d+\.\d\d s +w2 +its connection broke +\d+\.\d\d s +\d+ +w[13] .*/#
        #expect(line.wholeMatch(of: row) != nil, "\(line)")
        for kind in ["worker-lost", "rehosted", "restored"] {
          #expect(try !mesh.events(kind).isEmpty, "no \(kind)")
        }
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    @Test func twoRemoteWorkersAtOnce() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 3, environment: SlowJob.slowness(20))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        for name in ["w1", "w3"] { mesh.workers[name]?.signal(SIGKILL) }
        #expect(try mesh.result(job) == slow.alone)
        #expect(Set(try mesh.losses(job).map(\.worker)) == ["w1", "w3"])
      }
    }

    /// Whoever takes over may die too.
    @Test func oneAfterTheOther() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 3, environment: SlowJob.slowness(20))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        try mesh.kill("w1")
        try mesh.waitUntil(job, "the first recovery") { _ in
          try mesh.losses(job).contains { $0.tier != nil }
        }
        try mesh.kill("w2")
        #expect(try mesh.result(job) == slow.alone)
        #expect(Set(try mesh.losses(job).map(\.worker)) == ["w1", "w2"])
      }
    }

    /// Nobody is left: the job waits and says so, until somebody comes.
    @Test(arguments: [1, 3])
    func allRemoteWorkers(count: Int) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: count, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        for name in mesh.workers.keys { mesh.workers[name]?.signal(SIGKILL) }
        try eventually("the job to wait") {
          let summary = try mesh.summary(job)
          try #require(summary["state"] as? String == "running", "\(summary)")
          return summary["reason"] as? String == "waits for workers"
        }
        #expect(try mesh.output(["job", job]).contains("running: waits for workers"))
        #expect(try mesh.output(["jobs"]).contains("waits for workers"))
        #expect(try mesh.losses(job).allSatisfy { $0.tier == nil })
        try mesh.startWorker("w8")
        try mesh.startWorker("w9")
        #expect(try mesh.result(job) == slow.alone)
        #expect(try mesh.summary(job)["reason"] as? String == "")
        #expect(!Set(try mesh.losses(job).map(\.host)).isDisjoint(with: ["w8", "w9"]))
      }
    }

    /// Nobody comes: the deadline ends it.
    @Test func deadlineWhileItWaits() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags + ["--deadline", "2"])
        try mesh.waitUntilFolding(job)
        try mesh.kill("w1")
        let result = try mesh.run(["result", job, "--output", scratch.file("o.npy")])
        expectRefusal(result, code: 1, "its deadline of 2.0 s passed")
      }
    }

    /// A worker that was stopped and goes on is a zombie: nothing it does under its old epochs counts.
    /// Then it joins again and is useful, in the same job.
    @Test func stoppedRemoteWorker() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 3, environment: SlowJob.slowness(25))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        mesh.workers["w2"]?.signal(SIGSTOP)
        try eventually("the loss") { !mesh.observed("worker-lost worker=w2").isEmpty }
        #expect(mesh.observed("worker-lost worker=w2")[0].contains("no heartbeat for"))
        mesh.workers["w2"]?.signal(SIGCONT)
        try eventually("w2 to come back") { mesh.joined("w2") == 2 }
        try mesh.waitUntil(job, "w2 to be useful") { _ in try mesh.isHosting("w2", job) }
        #expect(try mesh.result(job) == slow.alone)
        let recoveries = try mesh.recoveries(job)
        #expect(recoveries.contains { $0.worker == "w2" && $0.cause.contains("no heartbeat") })
        #expect(recoveries.contains { $0.host == "w2" && $0.cause == "handed over" })
        try expectNextJobIsRight(mesh, workers: 3)
      }
    }

    /// Stopped again and again, it neither spoils nor ends the job.
    @Test func workerThatStopsAndGoesOn() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.slowness(15))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        for round in 1...3 {
          mesh.workers["w2"]?.signal(SIGSTOP)
          try eventually("loss \(round)") {
            try mesh.observed("worker-lost worker=w2").count == round || mesh.state(job) == "done"
          }
          mesh.workers["w2"]?.signal(SIGCONT)
          try eventually("return \(round)") {
            try mesh.joined("w2") == round + 1 || mesh.state(job) == "done"
          }
        }
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// Nothing passes between worker and coordinator any more, and nobody is told.
    @Test func remoteWorkerWithoutControl() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.slowness(20))
        let port = try #require(mesh.endpoint.split(separator: ":").last.flatMap { Int($0) })
        let proxy = try TCPProxy(to: port)
        defer { proxy.close() }
        try mesh.startWorker("w3", ["--coordinator", proxy.endpoint])
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        proxy.stall()
        #expect(try mesh.result(job) == slow.alone)
        let lost = try mesh.losses(job)
        #expect(!lost.isEmpty && lost.allSatisfy { $0.worker == "w3" }, "\(lost)")
        try expectNextJobIsRight(mesh, workers: 2)
        proxy.resume()
        try eventually("w3 to come back") { mesh.joined("w3") == 2 }
        try expectNextJobIsRight(mesh, workers: 3)
      }
    }

    /// The others can't reach it any more: its tiles come from the store, and what it computes counts.
    @Test func remoteWorkerThatPeersCannotReach() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.environment)
        let port = try TCPProxy.freePort()
        let proxy = try TCPProxy(to: port)
        defer { proxy.close() }
        try mesh.startWorker(
          "w3", ["--listen", "tcp://127.0.0.1:\(port)", "--advertise", proxy.endpoint])
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilCopied(job)
        proxy.cut()
        #expect(try mesh.result(job) == slow.alone)
        try mesh.kill("w3")
        try eventually("w3 to go") { try mesh.workerNames() == ["w1", "w2"] }
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    // MARK: Without protection

    @Test func unprotectedLocalWorker() throws {
      try withScratch { scratch in
        let job = try SlowJob(scratch)
        let run = try LocalRun(
          scratch, inputs: job.flags, workers: 3, more: ["--protection", "off"],
          environment: SlowJob.environment)
        try run.waitUntilFolding()
        kill(try #require(scratch.worker(named: "worker-2")), SIGKILL)
        expectLossLine(run.program, worker: "worker-2")
        #expect(run.outputs.isEmpty)
        #expect(scratch.processes.isEmpty)
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }

    @Test func unprotectedRemoteWorker() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 3, environment: SlowJob.slowness(20))
        let job = try mesh.submit(slow.flags + ["--protection", "off"])
        try mesh.waitUntilFolding(job)
        #expect(try mesh.status(job)["protection"] as? String == "off")
        try mesh.kill("w2")
        let result = try mesh.run(
          ["result", job, "--quiet", "--output", scratch.file("lost.npy")])
        expectLossLine(result, worker: "w2")
        #expect(!scratch.exists("lost.npy"))
        #expect(try mesh.state(job) == "failed")
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    @Test func unprotectedJobThatNothingHappensTo() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: 1_201)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags + ["--protection", "off"])
        #expect(try mesh.result(job) == slow.alone)
        #expect(mesh.observed("worker-lost").isEmpty)
        // They are still there, and known to be.
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    private func expectLossLine(_ program: Program, worker: String) {
      expectRefusal(program, code: 1, "and the job runs without protection: its ")
      let pattern =
        /attnmesh: job [0-9a-f]+ failed: virtual rank \d+ on (\S+) \(process \d+\) was lost at K\/V tile \d+ of \d+, .*/
      let match = program.errorLines.first?.wholeMatch(of: pattern)
      #expect(match.map { String($0.1) } == worker, "\(program.errors)")
    }
  }
}

/// After whatever happened, a job of the mesh uses so many workers and gives the right bytes.
func expectNextJobIsRight(
  _ mesh: Mesh, workers: Int, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let flags =
    try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 901)
    .write(to: mesh.scratch) + ["--mask", "causal"]
  let job = try mesh.submit(flags)
  let result = try mesh.result(job)
  #expect(
    try result == mesh.scratch.attend(flags, name: "next-alone"), sourceLocation: sourceLocation)
  let status = try mesh.status(job)
  #expect((status["workers"] as? [Any])?.count == workers, sourceLocation: sourceLocation)
}
