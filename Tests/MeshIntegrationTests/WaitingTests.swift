import Glibc
import Testing

extension Integration {
  /// Who waits says for what; addresses of every kind work, or are refused with the reason.
  @Suite struct Waiting {
    @Test func aWorkerSaysWhyNobodyAnswers() throws {
      try withScratch { scratch in
        let port = try TCPProxy.freePort(beside: 1)
        let endpoint = "tcp://127.0.0.1:\(port)"
        let worker = try scratch.start(["worker", "--name", "w1", "--coordinator", endpoint])
        let lost = try scratch.start(
          ["worker", "--name", "w2", "--insecure", "--coordinator", "tcp://no-such-host.invalid:1"])
        try eventually("a word of why") {
          worker.errors.contains("no coordinator answers at \(endpoint): nothing listens there")
        }
        try eventually("a word about the name") {
          lost.errors.contains("the name no-such-host.invalid is not known")
        }
        let mesh = try Mesh(scratch, workers: 0, port: port)
        try eventually("a welcome") { worker.errors.contains("coordinator-found at \(endpoint)") }
        try mesh.killCoordinator()
        try eventually("another word") {
          worker.errorLines.count { $0.contains("coordinator-silent") } >= 2
        }
        try mesh.restartCoordinator()
        try eventually("another welcome") {
          worker.errorLines.count { $0.contains("coordinator-found") } == 2
        }
        worker.signal(SIGTERM)
        #expect(try worker.wait() == .code(0))
        #expect(worker.errors.contains("stopping worker=w1 by SIGTERM"))
        mesh.coordinator.signal(SIGTERM)
        #expect(try mesh.coordinator.wait() == .code(0))
        #expect(!mesh.observed("stopping coordinator, by SIGTERM").isEmpty)
      }
    }

    @Test func aJobWithoutWorkersSaysSo() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let flags = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 301).write(to: scratch)
        let job = try mesh.submit(flags)
        let output = ["--output", scratch.file("o.npy")]
        let waiting = try [["job", job, "--follow"], ["result", job] + output].map {
          try scratch.start($0 + mesh.flags)
        }
        for program in waiting {
          try eventually("a word of \(program.arguments)") {
            program.errors.contains(
              "job \(job) waits for workers; start some with: attnmesh worker")
          }
        }
        try mesh.startWorker("w1")
        for program in waiting { #expect(try program.wait() == .code(0), "\(program.errors)") }
      }
    }

    @Test func aPortThatIsTaken() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0, port: try TCPProxy.freePort(beside: 1))
        // With its own page two ports above, which is not what it should complain of.
        expectRefusal(
          try scratch.run(["coordinator", "--listen", mesh.endpoint]), code: 2,
          "\(mesh.endpoint) is in use by another program", "--listen")
        expectRefusal(
          try scratch.run(["worker", "--listen", mesh.endpoint] + mesh.flags), code: 2,
          "\(mesh.endpoint) is in use by another program")
      }
    }

    /// Loopback of IPv6, all addresses, and names: as a coordinator's, and as workers'.
    @Test(arguments: ["tcp://localhost:*", "tcp://[::1]:*", "tcp://[::]:*", "tcp://*:*"])
    func addresses(listen: String) throws {
      try withScratch { scratch in
        let probe = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard !listen.contains("[") || probe >= 0 else { return }
        close(probe)
        let mesh = try Mesh(
          scratch, workers: 0,
          // The last flag counts.
          coordinatorFlags: ["--listen", listen, "--insecure", "--advertise", told(listen)])
        let port = try #require(mesh.endpoint.split(separator: ":").last)
        #expect(mesh.endpoint.hasPrefix("tcp://") && port != "*" && port != "0")
        let coordinator = told(listen).replacing("*", with: port)
        for name in ["w1", "w2"] {
          try mesh.startWorker(
            name,
            [
              "--coordinator", coordinator, "--listen", listen, "--advertise", told(listen),
              "--insecure",
            ])
        }
        let flags = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 901).write(to: scratch)
        let alone = try scratch.attend(flags, name: "alone")
        let run = try scratch.run(
          [
            "attend", "--quiet", "--output", scratch.file("o.npy"), "--lse",
            scratch.file("o-lse.npy"), "--coordinator", coordinator,
          ] + flags)
        #expect(try run.wait() == .code(0), "\(run.errors)")
        #expect(try scratch.attended("o") == alone)
      }
    }

    /// What reaches it from here, whatever this machine is called.
    private func told(_ listen: String) -> String {
      listen.contains("[") ? "tcp://[::1]:*" : "tcp://127.0.0.1:*"
    }
  }
}
