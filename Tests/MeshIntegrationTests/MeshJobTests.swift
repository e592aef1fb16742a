import Glibc
import Testing

extension Integration {
  /// Jobs on a mesh that stays.
  @Suite struct MeshJobs {
    private func smallInputs(_ scratch: Scratch, tokens: Int = 901) throws -> [String] {
      try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: tokens).write(to: scratch)
        + ["--mask", "causal"]
    }

    @Test func attendGivesTheBitsOfOneProcess() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 3)
        let flags = try smallInputs(scratch)
        let alone = try scratch.attend(flags, name: "alone")
        #expect(try scratch.attend(flags + mesh.flags) == alone)
        #expect(try scratch.attend(flags + mesh.flags + ["--layout", "contiguous"]) == alone)
        // Whoever fetched its own job leaves nothing in the store.
        #expect(mesh.observed("job-discarded").count == 2)
      }
    }

    /// The same job from a file of the other format, and its result in the other format and types.
    @Test func resultInOtherFormats() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let flags = try smallInputs(scratch, tokens: 130)
        let job = try mesh.submit(flags)
        for type in ["float16", "bfloat16"] {
          let (here, there) = ("here.safetensors", "there.safetensors")
          let local = try scratch.run(
            ["attend", "--quiet", "--output", scratch.file(here), "--output-dtype", type] + flags)
          #expect(try local.wait() == .code(0))
          try mesh.output(
            ["result", job, "--quiet", "--output", scratch.file(there), "--output-dtype", type])
          #expect(contents(of: scratch.file(here)) == contents(of: scratch.file(there)))
        }
      }
    }

    /// Also for a batch of one, of which the arithmetic knows nothing.
    @Test func resultHasTheShapeOfTheQuery() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1)
        var tensors = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 40)
        tensors.query.shape.insert(1, at: 0)
        tensors.key.shape.insert(1, at: 0)
        tensors.value.shape.insert(1, at: 0)
        let flags = try tensors.write(to: scratch)
        let job = try mesh.submit(flags)
        let fetched = try mesh.result(job, name: "fetched")
        #expect(try scratch.attend(flags, name: "alone") == fetched)
        #expect(try TensorData(reading: scratch.file("fetched.npy")).shape == [1, 3, 40, 64])
      }
    }

    @Test func fetchingTwiceGivesTheSameBytesUntilDiscarded() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let flags = try smallInputs(scratch)
        let job = try mesh.submit(flags)
        let first = try mesh.result(job, name: "first")
        #expect(try mesh.result(job, name: "second") == first)
        #expect(contents(of: scratch.file("first.npy")) == contents(of: scratch.file("second.npy")))
        #expect(try first == scratch.attend(flags, name: "alone"))
        try mesh.output(["result", job, "--discard", "--quiet", "--output", scratch.file("o.npy")])
        let gone = try mesh.run(["result", job, "--output", scratch.file("gone.npy")])
        expectRefusal(gone, code: 2, "no longer kept")
        #expect(!scratch.exists("gone.npy"))
      }
    }

    /// Jobs that wait for workers run in the order in which they came.
    @Test func jobsOfTwoClientsRunInTurn() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let flags = try smallInputs(scratch)
        let jobs = try (0..<3).map { _ in try mesh.submit(flags) }
        #expect(try mesh.status(jobs[1])["queue_position"] as? Int == 2)
        try mesh.startWorker("w1")
        let results = try jobs.map { try mesh.result($0) }
        #expect(results[0] == results[1] && results[1] == results[2])
        let events = try jsonLines(mesh.output(["events", "--json"]))
        let started = events.filter { $0["kind"] as? String == "job-started" }
        #expect(started.compactMap { $0["job"] as? String } == jobs)
      }
    }

    /// The client is not the job: it may die and come back.
    @Test func killedClientComesBack() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let flags = try writeLargeInputs(to: scratch)
        let client = try scratch.start(
          ["attend", "--output", scratch.file("never.npy")] + flags + mesh.flags)
        let line = try eventually("the job's id") { client.errorLines.first }
        let job = String(line.dropFirst("attnmesh: job ".count))
        try mesh.waitUntilFolding(job)
        client.signal(SIGKILL)
        #expect(try client.wait() == .signal(9))
        #expect(try mesh.result(job) == scratch.attend(flags, name: "alone"))
        #expect(!scratch.exists("never.npy"))
      }
    }

    /// A coordinator that is stopped for a while, as by a busy machine, is not gone.
    @Test func clientsOutwaitASlowCoordinator() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let flags = try smallInputs(scratch)
        let job = try mesh.submit(flags)
        let clients = [
          try scratch.start(["job", job, "--follow", "--json"] + mesh.flags),
          try scratch.start(["events", "--follow", "--json"] + mesh.flags),
          try scratch.start(
            ["attend", "--quiet", "--output", scratch.file("o.npy")] + flags + mesh.flags),
        ]
        try eventually("the second job") { mesh.observed("job-queued").count == 2 }
        try eventually("two followers") { clients[..<2].allSatisfy { !$0.output.isEmpty } }
        mesh.coordinator.signal(SIGSTOP)
        let short = try scratch.start(["events"] + mesh.flags)
        // Longer than any single call of a follower waits, shorter than a lost coordinator.
        let end = monotonicSeconds() + 2
        try eventually("two seconds") { monotonicSeconds() >= end }
        mesh.coordinator.signal(SIGCONT)
        #expect(try short.wait() == .code(0), "\(short.errors)")
        try mesh.startWorker("w1")
        #expect(try clients[0].wait() == .code(0), "\(clients[0].errors)")
        #expect(try clients[2].wait() == .code(0), "\(clients[2].errors)")
        try eventually("the news") { clients[1].output.contains("job-done") }
        clients[1].signal(SIGINT)
        #expect(try clients[1].wait() == .code(130))
      }
    }

    @Test func coordinatorThatDiesIsReported() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let flags = try smallInputs(scratch)
        let job = try mesh.submit(flags)
        let clients = try [
          ["attend", "--output", scratch.file("a.npy")] + flags,
          ["result", job, "--output", scratch.file("r.npy")], ["job", job, "--follow", "--json"],
        ].map { try scratch.start($0 + ["--patience", "4"] + mesh.flags) }
        try eventually("the second job") { mesh.observed("job-queued").count == 2 }
        try eventually("a follower") { !clients[2].output.isEmpty }
        mesh.coordinator.signal(SIGKILL)
        for client in clients {
          #expect(try client.wait() == .code(3))
          #expect(client.errorLines.last?.contains(mesh.endpoint) == true, "\(client.errors)")
          #expect(client.errors.contains(/waiting for it for up to [34] s/), "\(client.errors)")
        }
        #expect(clients[0].errors.contains("attnmesh result "))
        #expect(!scratch.exists("a.npy") && !scratch.exists("r.npy"))
      }
    }
  }
}

/// The program refused: this exit code, and exactly one line for a person.
func expectRefusal(
  _ program: Program, code: Int, _ texts: String..., notices: Int = 0,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(
    (try? program.wait()) == .code(code), "\(program.arguments): \(program.errors)",
    sourceLocation: sourceLocation)
  let lines = program.errorLines
  #expect(
    lines.count == 1 + notices && lines.allSatisfy { $0.hasPrefix("attnmesh: ") },
    "\(program.arguments): \(lines)",
    sourceLocation: sourceLocation)
  for text in texts {
    #expect(
      program.errors.contains(text), "\(program.arguments): \(program.errors)",
      sourceLocation: sourceLocation)
  }
  #expect(program.output == "", sourceLocation: sourceLocation)
}
