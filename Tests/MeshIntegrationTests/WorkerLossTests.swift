import Glibc
import Testing

extension Integration {
  /// A worker that dies, hangs or is cut off ends the job with one line that says where.
  @Suite struct WorkerLoss {
    @Test(arguments: [SIGKILL, SIGSTOP])
    func localWorker(signal: Int32) throws {
      try withScratch { scratch in
        let run = try LocalRun(scratch, inputs: writeLargeInputs(to: scratch), workers: 3)
        try run.waitUntilFolding()
        kill(try #require(scratch.worker(named: "worker-2")), signal)
        #expect(try run.program.wait() == .code(1))
        expectOneLine(run.program, worker: "worker-2")
        #expect(run.outputs.isEmpty)
        #expect(scratch.processes.isEmpty)
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }

    @Test func killedRemoteWorker() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 3)
        let result = try loseWorker(mesh) { mesh.workers["w2"]?.signal(SIGKILL) }
        expectOneLine(result, worker: "w2")
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    /// A worker that was stopped and goes on rejoins and serves the next job.
    @Test func stoppedRemoteWorker() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 3)
        let result = try loseWorker(mesh) { mesh.workers["w2"]?.signal(SIGSTOP) }
        expectOneLine(result, worker: "w2")
        try expectNextJobIsRight(mesh, workers: 2)
        mesh.workers["w2"]?.signal(SIGCONT)
        try eventually("w2 to come back") { mesh.joined("w2") == 2 }
        try expectNextJobIsRight(mesh, workers: 3)
      }
    }

    /// Nothing passes between worker and coordinator any more, and nobody is told.
    @Test func remoteWorkerWithoutControl() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let port = try #require(mesh.endpoint.split(separator: ":").last.flatMap { Int($0) })
        let proxy = try TCPProxy(to: port)
        defer { proxy.close() }
        try mesh.startWorker("w3", ["--coordinator", proxy.endpoint])
        let result = try loseWorker(mesh) { proxy.stall() }
        expectOneLine(result, worker: "w3")
        try expectNextJobIsRight(mesh, workers: 2)
        proxy.resume()
        try eventually("w3 to come back") { mesh.joined("w3") == 2 }
        try expectNextJobIsRight(mesh, workers: 3)
      }
    }

    /// The others can't reach it any more: its tiles' connections break.
    @Test func remoteWorkerThatPeersCannotReach() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let port = TCPProxy.freePort()
        let proxy = try TCPProxy(to: port)
        defer { proxy.close() }
        try mesh.startWorker(
          "w3", ["--listen", "tcp://127.0.0.1:\(port)", "--advertise", proxy.endpoint])
        let result = try loseWorker(mesh) { proxy.cut() }
        expectOneLine(result, worker: "w3")
        mesh.workers["w3"]?.signal(SIGKILL)
        try mesh.workers["w3"]?.wait()
        try eventually("w3 to go") { try workerNames(mesh) == ["w1", "w2"] }
        try expectNextJobIsRight(mesh, workers: 2)
      }
    }

    /// A worker that is told to end says so, and the job that it had ends.
    @Test func terminatedRemoteWorker() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let result = try loseWorker(mesh) { mesh.workers["w2"]?.signal(SIGTERM) }
        expectOneLine(result, worker: "w2")
        #expect(try mesh.workers["w2"]?.wait() == .code(0))
        try expectNextJobIsRight(mesh, workers: 1)
      }
    }

    /// Submits a job of seconds, does the harm in the middle of it, and waits for the job's end.
    private func loseWorker(_ mesh: Mesh, _ harm: () -> Void) throws -> Program {
      let job = try mesh.submit(writeLargeInputs(to: mesh.scratch))
      try mesh.waitUntilFolding(job)
      harm()
      let result = try mesh.run(
        ["result", job, "--quiet", "--output", mesh.scratch.file("lost.npy")])
      #expect(try result.wait() == .code(1))
      #expect(!mesh.scratch.exists("lost.npy"))
      #expect(try mesh.state(job) == "failed")
      return result
    }

    private func expectOneLine(_ program: Program, worker: String) {
      #expect(program.errorLines.count == 1)
      let pattern =
        /attnmesh: job [0-9a-f]+ failed: virtual rank \d+ on (\S+) .*K\/V tile \d+ of \d+.*/
      let match = program.errorLines.first?.wholeMatch(of: pattern)
      #expect(match.map { String($0.1) } == worker, "\(program.errors)")
    }

    private func expectNextJobIsRight(_ mesh: Mesh, workers: Int) throws {
      let flags =
        try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 1_501)
        .write(to: mesh.scratch) + ["--mask", "causal"]
      let job = try mesh.submit(flags)
      let result = try mesh.result(job)
      #expect(try result == mesh.scratch.attend(flags, name: "alone"))
      let status = try mesh.status(job)
      #expect((status["workers"] as? [Any])?.count == workers)
    }

    private func workerNames(_ mesh: Mesh) throws -> [String] {
      let workers = try json(mesh.output(["workers", "--json"])) as? [[String: Any]] ?? []
      return workers.compactMap { $0["name"] as? String }
    }
  }
}
