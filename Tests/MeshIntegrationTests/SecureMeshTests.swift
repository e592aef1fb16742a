import Checksums
import Glibc
import MeshCore
import MeshRuntime
import MeshWire
import Testing
import ZeroMQ

extension Integration {
  /// A mesh with keys: the same bytes, and nobody in it who isn't on the list.
  @Suite struct SecureMeshes {
    @Test(arguments: [false, true])
    func theSameBytesAsWithoutKeys(hasBlockMap: Bool) throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let cells = BlockCells(queries: 100, keys: 64, of: 901, 901, seed: 3)
        let flags =
          try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 901).write(to: scratch)
          + ["--mask", "causal"] + (hasBlockMap ? cells.write(to: scratch) : [])
        let alone = try scratch.attend(flags, name: "alone")
        let mesh = try keys.mesh(3)
        let run = try mesh.run(
          [
            "attend", "--quiet", "--output", scratch.file("o.npy"), "--lse",
            scratch.file("o-lse.npy"),
          ]
            + flags + keys.identity("client"))
        #expect(try run.wait() == .code(0), "\(run.errors)")
        #expect(try scratch.attended("o") == alone)
        // Whose job it is, is what the key says.
        #expect(mesh.observed("job-submitted").first?.contains("by client") == true)
      }
    }

    @Test func eachKeyMayDoWhatItIsFor() throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let mesh = try keys.mesh(1)
        let flags = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 301).write(to: scratch)
        for name in ["client", "viewer", "operator"] {
          let jobs = try mesh.run(["jobs"] + keys.identity(name))
          #expect(try jobs.wait() == .code(0), "\(name): \(jobs.errors)")
        }
        for (name, command) in [
          ("worker", ["jobs"]), ("viewer", ["submit", "--quiet"] + flags),
          ("viewer", ["drain", "w1", "--yes"]), ("client", ["drain", "w1", "--yes"]),
        ] {
          expectRefusal(
            try mesh.run(command + keys.identity(name)), code: 2, "a \(name)'s key doesn't allow")
        }
        try keys.make("stranger", role: "operator")
        expectRefusal(
          try mesh.run(["jobs"] + keys.identity("stranger")), code: 2, "doesn't admit this key")
        expectRefusal(try mesh.run(["jobs"]), code: 2, "it has keys")
        for (name, reason) in [
          ("stranger", "doesn't admit this key"), ("client", "its key is a client's"),
        ] {
          let worker = try mesh.run(["worker", "--quiet", "--name", "bad"] + keys.identity(name))
          expectRefusal(worker, code: 2, reason)
        }
        #expect(mesh.joined("bad") == 0)
        try eventually("a word about the stranger") { !mesh.observed("access-refused").isEmpty }
      }
    }

    @Test func aClientSeesItsOwnJobsOnly() throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let other = try keys.make("other", role: "client")
        try keys.allow(keys.allowed + other)
        let mesh = try keys.mesh(1)
        let flags = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 301).write(to: scratch)
        let job = try mesh.submit(flags + keys.identity("client"))
        for command in [
          ["job", job], ["cancel", job, "--yes"],
          ["result", job, "--output", scratch.file("o.npy")],
          ["events", "--job", job],
        ] {
          expectRefusal(
            try mesh.run(command + keys.identity("other")), code: 2, "no job \(job) here")
        }
        // Of the events it sees those of its own jobs, and there are none.
        #expect(try mesh.output(["events", "--json"] + keys.identity("other")).isEmpty)
        #expect(try mesh.output(["events"] + keys.identity("client")).contains("job-submitted"))
        try mesh.output(
          ["result", job, "--quiet", "--output", scratch.file("o.npy")] + keys.identity("client"))
        // Nor does the store give another client what it could name.
        let id = try #require(JobID(job))
        for name in ["client", "operator"] {
          let count = try keys.store(name, mesh).read(
            id, .output, at: 0, isCancelled: { false }, { (_) throws(MeshError) in })
          #expect(count > 0, "\(name)")
        }
        for name in ["other", "viewer", "worker"] {
          #expect(throws: MeshError.self, "\(name)") {
            try keys.store(name, mesh).read(
              id, .output, at: 0, isCancelled: { false }, { (_) throws(MeshError) in })
          }
        }
      }
    }

    @Test func aKeyThatIsTakenBackInTheMiddleOfAJob() throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let second = try keys.make("second", role: "worker")
        let before = keys.allowed
        try keys.allow(before + second)
        let slow = try SlowJob(scratch)
        let mesh = try keys.mesh(2, environment: SlowJob.environment)
        // The last flag counts.
        try mesh.startWorker("revoked", keys.identity("second"))
        mesh.identity = keys.identity("operator")
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        try keys.allow(before)
        let worker = try #require(mesh.workers["revoked"])
        #expect(try worker.wait() == .code(2))
        #expect(worker.errors.contains("its key is no longer admitted"))
        #expect(try mesh.result(job) == slow.alone)
        #expect(!mesh.observed("worker-lost worker=revoked").isEmpty)
      }
    }

    @Test func whoHasNoKeyIsToldOf() throws {
      try withScratch { scratch in
        let mesh = try MeshKeys(scratch).mesh(0)
        expectRefusal(try scratch.run(["jobs"] + mesh.flags), code: 2, "it has keys")
        try eventually("a word about it") {
          // Whoever hangs up at once may be gone before anybody has noticed how it came.
          _ = try scratch.run(["jobs"] + mesh.flags).wait()
          return mesh.observed("access-refused").contains { $0.contains("without keys") }
        }
      }
    }

    /// Whoever follows a job hears that its key was taken back, and doesn't wait for an answer.
    @Test func aFollowersKeyThatIsTakenBack() throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let second = try keys.make("second", role: "client")
        let before = keys.allowed
        try keys.allow(before + second)
        let mesh = try keys.mesh(0)
        mesh.identity = keys.identity("second")
        let flags = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 301).write(to: scratch)
        let job = try mesh.submit(flags)
        let follower = try scratch.start(
          ["job", job, "--follow"] + mesh.identity + mesh.flags)
        try eventually("a follower") { follower.errors.contains("waits for workers") }
        try keys.allow(before)
        #expect(try follower.wait() == .code(2))
        #expect(follower.errors.contains("no longer admits this key"), "\(follower.errors)")
      }
    }

    /// A worker's key that hosts nothing is no way to end or to fence the ranks of others, under any epoch.
    @Test func aWorkerCannotSpeakForAnothersRank() throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let intruder = try keys.make("intruder", role: "worker")
        try keys.allow(keys.allowed + intruder)
        let slow = try SlowJob(scratch, tokens: 1_801)
        let mesh = try keys.mesh(2, environment: SlowJob.environment)
        mesh.identity = keys.identity("client")
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        let id = try #require(JobID(job))
        let own = try epoch(of: VRank(0), id, keys, mesh)
        let never = Epoch(term: .max, counter: .max)
        for (name, epoch, status) in [
          ("intruder", own, StatusCode.failedPrecondition),
          ("intruder", never, .failedPrecondition), ("worker", never, .failedPrecondition),
          // The host's key is heard; that isn't its result.
          ("worker", own, .dataLoss),
        ] {
          let socket = try keys.socket(name, to: "coordinator")
          try socket.socket.connect(mesh.dataEndpoint)
          let end = VRankFinal(job: id, vrank: VRank(0), epoch: epoch, digest: SHA256.hash([]))
          let receipt = ResultReceipt(
            job: id, vrank: VRank(0), epoch: epoch, message: -1, status: status)
          #expect(try answer(to: .vrankFinal(end), on: socket) == .receipt(receipt), "\(name)")
        }
        #expect(try epoch(of: VRank(0), id, keys, mesh) == own)
        #expect(try mesh.state(job) == "running")
        #expect(try mesh.result(job) == slow.alone)
        #expect(mesh.observed("worker-lost").isEmpty)
      }
    }

    private func epoch(of vrank: VRank, _ job: JobID, _ keys: MeshKeys, _ mesh: Mesh) throws
      -> Epoch
    {
      let outcome = try keys.store("operator", mesh).call(.status(job), isCancelled: { false })
      guard case .success(.status(let status)) = outcome else {
        throw HarnessError("job \(job): \(outcome)")
      }
      return status.ranks[vrank.index].epoch
    }

    private func answer(to frame: DataFrame, on socket: OwnedSocket) throws -> DataFrame {
      try eventually("a way to the store") {
        try socket.socket.send(Message(header: Frame(frame.encode()))) == .sent
      }
      return try eventually("an answer") { () -> DataFrame? in
        guard let message = try socket.socket.receive() else { return nil }
        return try message.header.withUnsafeBytes { try DataFrame(decoding: $0) }
      }
    }

    @Test func nothingIsServedBeyondThisMachineWithoutKeys() throws {
      try withScratch { scratch in
        let everywhere = "tcp://0.0.0.0:*"
        expectRefusal(
          try scratch.run(["coordinator", "--listen", everywhere]), code: 2, "attnmesh keygen",
          "--insecure")
        expectRefusal(
          try scratch.run(["worker", "--listen", everywhere]), code: 2, "attnmesh keygen")
        // A name that looks like an address of this machine leads anywhere.
        for place in ["tcp://127.0.0.1.example.org:7700", "tcp://192.0.2.1:7700"] {
          expectRefusal(
            try scratch.run(["jobs", "--coordinator", place]), code: 2, "--coordinator-key")
        }
        let keys = try MeshKeys(scratch)
        let identity = ["--identity", scratch.file("coordinator.key")]
        expectRefusal(try scratch.run(["coordinator"] + identity), code: 2, "--allow")
        expectRefusal(
          try scratch.run(
            ["jobs"] + identity + ["--coordinator-key", scratch.file("worker.key.pub")]),
          code: 2, "it is a coordinator's")
        chmod(scratch.file("worker.key"), 0o644)
        expectRefusal(
          try scratch.run(["worker"] + keys.identity("worker")), code: 2, "others can read it")
      }
    }
  }
}
