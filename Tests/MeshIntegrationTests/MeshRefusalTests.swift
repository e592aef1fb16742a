import Glibc
import Testing

extension Integration {
  /// What a mesh refuses, before anything is sent or computed, and with the numbers.
  @Suite struct MeshRefusals {
    private func inputs(_ scratch: Scratch, tokens: Int = 901) throws -> [String] {
      try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: tokens).write(to: scratch)
    }

    @Test func moreThanTheQuota() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1, coordinatorFlags: ["--quota", "1M"])
        let flags = try inputs(scratch)
        let output = ["--output", scratch.file("o.npy")]
        // Q, K, V as float16 and O and log-sum-exp as float32.
        let needed = "1.22 MiB"
        for command in [["attend"] + output, ["submit"]] {
          expectRefusal(
            try mesh.run(command + flags), code: 2, "needs \(needed)", "whole quota is 1.00 MiB;",
            "a larger --quota")
        }
        #expect(mesh.observed("job-submitted").isEmpty)
        #expect(!scratch.exists("o.npy"))
      }
    }

    @Test func resultsThatAreKeptCountForTheQuota() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1, coordinatorFlags: ["--quota", "1600K"])
        let flags = try inputs(scratch)
        let job = try mesh.submit(flags)
        _ = try mesh.result(job)
        // The inputs are gone, the result isn't.
        let refused = try mesh.run(["submit", "--quiet"] + flags)
        expectRefusal(refused, code: 2, "of a quota of 1.56 MiB")
        try mesh.output(["result", job, "--discard", "--quiet", "--output", scratch.file("o.npy")])
        _ = try mesh.result(mesh.submit(flags))
      }
    }

    /// What is full is the disk: nobody has to start anything again.
    @Test(
      "a full disk of the coordinator is told once, with one advice", .enabled(if: geteuid() == 0))
    func fullStore() throws {
      try withScratch { scratch in
        let store = scratch.file("store")
        mkdir(store, 0o700)
        guard mount("tmpfs", store, "tmpfs", 0, "size=2m") == 0 else {
          try Test.cancel("no file system can be mounted here")
        }
        defer { umount2(store, Int32(MNT_DETACH)) }
        let mesh = try Mesh(scratch, workers: 0, coordinatorFlags: ["--store", store])
        func expect(_ tokens: Int, _ says: String) throws {
          let run = try mesh.run(["submit", "--json"] + inputs(scratch, tokens: tokens))
          #expect(try run.wait() == .code(2))
          let error = try jsonObject(run.errors)
          #expect(error["kind"] as? String == "no_room")
          let text = error["error"] as? String ?? ""
          #expect(text.contains(says) && !text.contains("start again"), "\(text)")
          #expect(text.matches(of: /make room/).count == 1, "\(text)")
        }
        try expect(60_000, "can't reserve")
        let filler = open(store + "/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        while write(filler, zeros, zeros.count) > 0 {}
        close(filler)
        try expect(901, "can't be written to its store")
      }
    }

    @Test func moreThanAWorkersMemory() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        try mesh.startWorker("small", ["--memory", "128M"])
        let large = try inputs(scratch, tokens: 60_000)
        let command = ["attend", "--output", scratch.file("o.npy")] + large
        expectRefusal(
          try mesh.run(command), code: 2,
          "with 1 worker; 0 of the 1 here can take part: small has 128 MiB")
        #expect(mesh.observed("job-submitted").isEmpty)
        #expect(!scratch.exists("o.npy"))
        // Beside a larger one it is left out, and that is told.
        try mesh.startWorker("w1")
        let job = try mesh.submit(large)
        try eventually("who is left out") {
          try (mesh.summary(job)["reason"] as? String)?.contains("small (128 MiB)") == true
        }
        let workers = try mesh.output(["workers"])
        #expect(workers.contains(/small +small/), "\(workers)")
        try mesh.output(["cancel", job, "--yes"])
      }
    }

    @Test func nobodyThere() throws {
      try withScratch { scratch in
        let endpoint = try "tcp://127.0.0.1:\(TCPProxy.freePort())"
        let flags = try inputs(scratch)
        let id = String(repeating: "a", count: 32)
        let output = ["--output", scratch.file("o.npy")]
        let commands = [
          ["attend"] + output + flags, ["submit"] + flags, ["result", id] + output, ["jobs"],
          ["job", id], ["job", "abcd"], ["job", id, "--follow"], ["workers"],
          ["cancel", id, "--yes"],
          ["events"], ["events", "--follow"],
        ]
        // All at once: they are told that nobody listens, and don't wait.
        let programs = try commands.map { try scratch.start($0 + ["--coordinator", endpoint]) }
        for program in programs { expectRefusal(program, code: 3, endpoint) }
        #expect(programs.allSatisfy { $0.errors.contains("nothing listens there") })
        let byVariable = try scratch.run(["jobs"], ["ATTNMESH_COORDINATOR": endpoint])
        expectRefusal(byVariable, code: 3, endpoint)
        #expect(!scratch.exists("o.npy"))
      }
    }

    @Test func twoWorkersOfOneName() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1)
        let second = try scratch.run(["worker", "--name", "w1", "--quiet"] + mesh.flags)
        expectRefusal(second, code: 2, "a worker named w1 is already here", "--name")
        // The first one stays, and works.
        #expect(mesh.joined("w1") == 1)
        _ = try mesh.result(mesh.submit(inputs(scratch)))
        mesh.workers["w1"]?.signal(SIGTERM)
        #expect(try mesh.workers["w1"]?.wait() == .code(0))
        // Its name is free again.
        try mesh.startWorker("w1")
      }
    }

    /// Killed right after it joined, and started again under its name at once: a supervisor does no less.
    @Test func sameNameAfterAKill() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1)
        for _ in 0..<6 {
          mesh.workers["w1"]?.signal(SIGKILL)
          try mesh.startWorker("w1")
        }
        _ = try mesh.result(mesh.submit(inputs(scratch)))
        #expect(mesh.observed("worker-refused").isEmpty)
      }
    }

    @Test func addressesThatOthersReach() throws {
      try withScratch { scratch in
        for address in ["tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*", "tcp://eth0:*"] {
          for role in ["coordinator", "worker"] {
            let run = try scratch.run([role, "--listen", address])
            expectRefusal(run, code: 2, "--listen \(address)", "--insecure")
          }
        }
        let insecure = try scratch.start(
          ["coordinator", "--listen", "tcp://0.0.0.0:*", "--insecure"])
        try eventually("the coordinator") { insecure.errors.contains("coordinator at tcp://") }
        #expect(insecure.errors.contains("warning"))
        insecure.signal(SIGTERM)
        #expect(try insecure.wait() == .code(0))
      }
    }

    @Test func addressesThatAreTaken() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let second = try scratch.run(["coordinator", "--listen", mesh.endpoint])
        expectRefusal(second, code: 2, "can't start", "is in use")
        let worker = try scratch.run(["worker", "--listen", mesh.endpoint] + mesh.flags)
        expectRefusal(worker, code: 2, "can't start")
      }
    }

    /// One coordinator has a store at a time; whoever comes after it goes on with its jobs.
    @Test func storesOfTwoCoordinators() throws {
      try withScratch { scratch in
        let store = ["--store", scratch.file("store")]
        let first = try Mesh(scratch, workers: 1, coordinatorFlags: store)
        let flags = try inputs(scratch)
        let job = try first.submit(flags)
        #expect(try first.result(job) == scratch.attend(flags, name: "alone"))
        let databases = ["events.sqlite", "journal.sqlite"].flatMap { name in
          ["", "-shm", "-wal"].map { name + $0 }
        }
        let state = databases + ["lock"]
        #expect(scratch.names(in: scratch.file("store")) == ([job] + state).sorted())
        let second = try scratch.run(["coordinator", "--listen", "tcp://127.0.0.1:*"] + store)
        expectRefusal(second, code: 2, "another coordinator has it")
        let running = try first.submit(try writeLargeInputs(to: scratch))
        try first.waitUntilFolding(running)
        #expect(
          scratch.names(in: scratch.file("store/\(running)"))
            == ["checksums", "key", "logSumExp", "output", "query", "value"])
        first.coordinator.signal(SIGKILL)
        try first.coordinator.wait()
        mkdir(scratch.file("store/" + String(repeating: "0", count: 31) + "1"), 0o700)
        let third = try Mesh(scratch, workers: 0, coordinatorFlags: store)
        // What no journal knows is removed.
        #expect(
          scratch.names(in: scratch.file("store")) == ([job, running] + state).sorted())
        #expect(try third.result(job) == scratch.attended("alone"))
        #expect(try third.state(running) == "running")
      }
    }

    /// Services end in order when they are told to.
    @Test(arguments: [SIGINT, SIGTERM])
    func servicesEndOnASignal(signal: Int32) throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1)
        let worker = try #require(mesh.workers["w1"])
        worker.signal(signal)
        #expect(try worker.wait() == .code(0))
        try eventually("the news") { !mesh.observed("worker-left worker=w1").isEmpty }
        mesh.coordinator.signal(signal)
        #expect(try mesh.coordinator.wait() == .code(0))
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }
  }
}
