import Foundation
import MeshCore
import MeshWire
import Testing
import ZeroMQ

extension Integration {
  /// What an operator does to a mesh, and sees of it.
  @Suite struct Administration {
    @Test func cordonedWorkerGetsNothing() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        let cordoned = try jsonObject(mesh.output(["cordon", "w2", "--json"]))
        #expect(cordoned["standing"] as? String == "cordoned")
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        #expect(try !mesh.isHosting("w2", job))
        // It remembers that for the next coordinator.
        try eventually("what w2 was told") {
          try mesh.worker("w2")?["standing"] as? String == "cordoned"
        }
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        try eventually("w2 to come back, cordoned") {
          try mesh.worker("w2")?["standing"] as? String == "cordoned"
        }
        #expect(try mesh.output(["uncordon", "w2"]) == "w2 may be given work again\n")
        #expect(try mesh.result(job) == slow.alone)
        expectRefusal(
          try mesh.run(["cordon", "w9"]), code: 2, "no worker named w9 here; there are w1, w2")
      }
    }

    @Test func waitsWhileAllAreCordoned() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1)
        try mesh.output(["cordon", "w1"])
        let inputs = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 300).write(to: scratch)
        let job = try mesh.submit(inputs)
        try eventually("the reason") {
          (try mesh.summary(job)["reason"] as? String)?.contains("w1 is cordoned") == true
        }
        try mesh.output(["uncordon", "w1"])
        _ = try mesh.result(job)
      }
    }

    @Test func statusAndTop() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.environment)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        let status = try jsonObject(mesh.output(["status", "--json"]))
        #expect(status["protocol_version"] as? Int == protocolVersion)
        #expect(status["persistent"] as? Bool == false)
        #expect((status["workers"] as? [String: Int]) == ["active": 2])
        #expect((status["jobs"] as? [String: Int]) == ["running": 1])
        let text = try mesh.output(["status"])
        #expect(text.contains("workers      2 active") && text.contains(job))
        // Not on a terminal: one plain picture.
        let picture = try mesh.output(["top", "--interval", "0.2"])
        #expect(picture.contains("TILES/S") && !picture.contains("\u{1B}"))
        let ring = try jsonObject(mesh.output(["top", "--once", "--json", "--interval", "0.3"]))
        let rows = ring["ring"] as? [[String: Any]] ?? []
        #expect(rows.compactMap { $0["name"] as? String } == ["w1", "w2"])
        let watcher = try scratch.start(["top", "--json", "--interval", "0.2"] + mesh.flags)
        try eventually("several looks") { watcher.output.split(separator: "\n").count > 2 }
        watcher.signal(SIGINT)
        _ = try watcher.wait()
        try mesh.output(["cancel", job, "--yes"])
      }
    }

    @Test func confirmationWhereNobodyCanBeAsked() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1)
        let inputs = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 300).write(to: scratch)
        let job = try mesh.submit(inputs)
        _ = try mesh.result(job)
        expectRefusal(try mesh.run(["cancel", job]), code: 2, "cancel job \(job)", "add --yes")
        expectRefusal(try mesh.run(["drain", "w1"]), code: 2, "drain w1", "add --yes")
        #expect(try mesh.worker("w1")?["standing"] as? String == "active")
        let drained = try jsonObject(mesh.output(["drain", "w1", "--yes", "--json"]))
        #expect(drained["standing"] as? String == "away")
      }
    }

    @Test func logs() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0, coordinatorFlags: ["--log-format", "json"])
        let inputs = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 300).write(to: scratch)
        let worker = try scratch.start(["worker", "--name", "w2", "--threads", "1"] + mesh.flags)
        try eventually("w2") { try mesh.workerNames() == ["w2"] }
        _ = try mesh.result(mesh.submit(inputs))
        let lines = mesh.coordinator.errorLines.filter { $0.hasPrefix("{") }
        let entries = try jsonLines(lines.joined(separator: "\n"))
        let kinds = entries.compactMap { $0["kind"] as? String }
        #expect(kinds.first == "started" && kinds.contains("job-done"))
        for entry in entries where (entry["kind"] as? String)?.hasPrefix("job-") == true {
          #expect(entry["job"] != nil && entry["level"] as? String == "info")
        }
        try eventually("its assignment") {
          worker.errors.contains(" info assigned job=")
        }
        let wrong = try scratch.run(["coordinator", "--log-level", "loud"])
        expectRefusal(wrong, code: 2, "--log-level loud: it is error or warning")
      }
    }

    /// A peer of another version is told so, in a frame that it can read, and so is the operator.
    @Test func workerOfAnotherVersion() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let id = WorkerID(incarnation: 77)
        let hello = WorkerMessage.Hello(
          worker: id, name: "old", processID: 1, version: protocolVersion - 1, numerics: "fma",
          level: "avx2", threads: 1, memoryBytes: 1 << 30, endpoint: "tcp://127.0.0.1:1")
        let socket = try OwnedSocket(.dealer, context: try Context(), options: options())
        try socket.socket.connect(mesh.endpoint)
        let frame = ControlFrame.worker(.hello(hello), from: id)
        try eventually("a connection") {
          try socket.socket.send(Message(header: Frame(frame.encode()))) == .sent
        }
        let reason = try eventually("the refusal") { () -> String? in
          guard let message = try socket.socket.receive() else { return nil }
          let frame = message.header.withUnsafeBytes { try? ControlFrame(decoding: $0) }
          guard case .coordinator(.refused(.failedPrecondition, let reason)) = frame else {
            return nil
          }
          return reason
        }
        let both = "protocol version \(protocolVersion - 1) and this coordinator version"
        #expect(reason.contains("\(both) \(protocolVersion)"), "\(reason)")
        try eventually("the log") { !mesh.observed("warning worker-refused worker=old").isEmpty }
        #expect(mesh.observed(both).count == 1)
      }
    }

    /// A worker whose coordinator has another version ends with what that one says.
    @Test func coordinatorOfAnotherVersion() throws {
      try withScratch { scratch in
        let router = try OwnedSocket(.router, context: try Context(), options: options())
        let endpoint = try router.socket.bind("tcp://127.0.0.1:*")
        let worker = try scratch.start([
          "worker", "--name", "w1", "--threads", "1", "--log-level", "error", "--coordinator",
          endpoint,
        ])
        let reason = "it speaks protocol version 4 and this coordinator version 3"
        var frame = ControlFrame.coordinator(.refused(.failedPrecondition, reason: reason)).encode()
        // The version is the first field of the envelope.
        #expect(Array(frame.prefix(2)) == [0x08, UInt8(protocolVersion)])
        frame[1] = 3
        try eventually("its hello") {
          guard let message = try router.socket.receive() else { return false }
          let hello = message.header.withUnsafeBytes { try? ControlFrame(decoding: $0) }
          guard case .worker(.hello, _) = hello else { return false }
          _ = try router.socket.send(
            Message(routingID: message.routingID, header: Frame(frame)))
          return true
        }
        expectRefusal(worker, code: 2, reason, endpoint)
      }
    }

    @Test func workersOfTwoFingerprints() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1, environment: ["ATTNMESH_CPU": "baseline"])
        let other = try scratch.run(
          ["worker", "--name", "w2", "--threads", "1", "--quiet"] + mesh.flags)
        expectRefusal(other, code: 2, "its numerics fingerprint is", "and that of this mesh is")
        #expect(mesh.observed("worker-refused worker=w2 its numerics fingerprint").count == 1)
      }
    }

    @Test func backupAndRestore() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let small = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 300).write(to: scratch)
        let mesh = try Mesh.withStore(scratch, workers: 1, environment: SlowJob.environment)
        let store = scratch.file("store")
        let finished = try mesh.submit(small)
        let first = try mesh.result(finished, name: "first")
        let running = try mesh.submit(slow.flags)
        let queued = try mesh.submit(small)
        try mesh.waitUntilFolding(running)
        let file = scratch.file("backup")
        let backup = ["coordinator", "backup", file, "--store", store]
        #expect(try scratch.run(backup).wait() == .code(0))
        expectRefusal(try scratch.run(backup), code: 2, "--force")
        let restore = ["coordinator", "restore", file, "--store", store]
        expectRefusal(try scratch.run(restore), code: 2, "another coordinator has it")
        // The journal is lost; the directories of the jobs aren't, but for one.
        try mesh.killCoordinator()
        for name in scratch.names(in: store) where name.hasPrefix("journal.sqlite") {
          try FileManager.default.removeItem(atPath: "\(store)/\(name)")
        }
        try FileManager.default.removeItem(atPath: "\(store)/\(queued)")
        let restored = try scratch.run(restore)
        #expect(try restored.wait() == .code(0), "\(restored.errors)")
        let lines = restored.output.split(separator: "\n")
        #expect(lines.contains("1 job of them ran, and will begin anew"))
        // What has to be done at once comes last.
        #expect(lines.suffix(3).first?.hasPrefix("1 job waiting, inputs to be put back") == true)
        #expect(lines.suffix(2).first ?? "" == "  \(store)/\(queued)")
        try mesh.restartCoordinator()
        #expect(try mesh.result(running) == slow.alone)
        #expect(try mesh.result(finished, name: "again") == first)
        let failed = try mesh.summary(queued)
        #expect(failed["state"] as? String == "failed")
        #expect((failed["reason"] as? String)?.contains("No such file") == true, "\(failed)")
        try expectNextJobIsRight(mesh, workers: 1)
      }
    }

    /// The restored coordinator's clock is behind: its term is below what the worker has followed.
    @Test func workerThatKnowsAHigherTerm() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 1)
        let file = scratch.file("backup")
        let store = scratch.file("store")
        #expect(
          try scratch.run(["coordinator", "backup", file, "--store", store]).wait() == .code(0))
        try mesh.killCoordinator()
        try mesh.restartCoordinator(["ATTNMESH_CLOCK_OFFSET": "3600"])
        try eventually("the worker") { mesh.joined("w1") == 1 }
        try mesh.killCoordinator()
        for name in scratch.names(in: store) where name.hasPrefix("journal.sqlite") {
          try FileManager.default.removeItem(atPath: "\(store)/\(name)")
        }
        #expect(
          try scratch.run(["coordinator", "restore", file, "--store", store]).wait() == .code(0))
        try mesh.restartCoordinator()
        #expect(try mesh.workers["w1"]?.wait() == .code(2))
        #expect(
          mesh.workers["w1"]?.errors.contains("it has followed a coordinator of term") == true)
        try mesh.startWorker("w1")
        try expectNextJobIsRight(mesh, workers: 1)
      }
    }

    private func options() -> SocketOptions {
      var options = SocketOptions(
        sendHighWaterMark: 10, receiveHighWaterMark: 10,
        maximumFrameBytes: Limits.controlFrameBytesMaximum)
      options.routingID = Array("c\(UInt64.random(in: 1...UInt64.max))".utf8)
      return options
    }
  }
}
