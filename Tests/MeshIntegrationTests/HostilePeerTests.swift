import Glibc
import MeshCore
import MeshRuntime
import Testing
import ZeroMQ

extension Integration {
  /// A mesh with keys under attack, by strangers and by somebody who has a key: the job of a client
  /// that behaves ends with its bytes, and nobody's memory grows beyond what is set.
  @Suite struct HostilePeers {
    /// What strangers may make a process grow by.
    private static let growthMaximum = 256 << 20

    @Test func strangers() throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let slow = try SlowJob(scratch)
        let mesh = try keys.mesh(2, environment: SlowJob.slowness(25))
        mesh.identity = keys.identity("client")
        let job = try submit(slow, mesh)
        let members = [mesh.coordinator] + mesh.workers.values.sorted { $0.process < $1.process }
        let idle = try members.map { try $0.residentBytes() }
        let ports = try addresses(mesh)
        for attack in ZMTPAttack.all {
          for port in ports {
            let peers = (0..<attack.connections).compactMap { _ in RawPeer(port: port) }
            #expect(!peers.isEmpty, "\(attack.name): nobody listens at \(port)")
            for peer in peers {
              for _ in 0..<attack.repetitions { guard peer.send(attack.bytes) else { break } }
            }
          }
          try expectBounded(members, idle, attack.name)
        }
        let crowd = crowd(ports)
        try expectBounded(members, idle, "a crowd of \(crowd.count)")
        withExtendedLifetime(crowd) {}
        try expectResult(of: job, slow, mesh)
      }
    }

    /// Handshakes that are never finished, many at once: with a limit on open files as systems have.
    private func crowd(_ ports: [Int]) -> [RawPeer] {
      var crowd: [RawPeer] = []
      for number in 0..<2_000 {
        guard let peer = RawPeer(port: ports[number % ports.count]) else { continue }
        peer.send([0xFF, 0, 0, 0])
        crowd.append(peer)
      }
      #expect(crowd.count > 1_000)
      return crowd
    }

    @Test func somebodyWithAKey() throws {
      try withScratch { scratch in
        let keys = try MeshKeys(scratch)
        let slow = try SlowJob(scratch)
        let mesh = try keys.mesh(2, environment: SlowJob.slowness(25))
        mesh.identity = keys.identity("client")
        let job = try submit(slow, mesh)
        let members = [mesh.coordinator] + mesh.workers.values.sorted { $0.process < $1.process }
        let idle = try members.map { try $0.residentBytes() }
        let ports = try addresses(mesh)
        for role in ["worker", "client"] {
          for (port, server) in zip(ports, ["coordinator", "coordinator", "worker", "worker"]) {
            let sent = try flood(port, role, server, keys)
            // A worker lets in no client.
            #expect(
              (sent > 0) == (server == "coordinator" || role == "worker"), "\(role), \(server)")
          }
          try expectBounded(members, idle, "a \(role)'s key")
        }
        try expectResult(of: job, slow, mesh)
      }
    }

    /// Messages that are no messages, as fast as they go for a second once the connection is there;
    /// returns how many were sent.
    private func flood(_ port: Int, _ role: String, _ server: String, _ keys: MeshKeys) throws
      -> Int
    {
      let socket = try keys.socket(role, to: server)
      try socket.socket.connect("tcp://127.0.0.1:\(port)")
      var random = SplitMix64(seed: UInt64(port))
      var poller = Poller()
      poller.watch(socket, for: .writable)
      var sent = 0
      var end: Duration?
      // A client's key isn't let in by a worker: it waits in vain.
      let patience = MonotonicClock.now + .seconds(role == "client" && server == "worker" ? 1 : 60)
      while MonotonicClock.now < end ?? patience {
        try poller.wait(upTo: .milliseconds(50))
        for _ in 0..<32 {
          let count = [0, 1, 17, 300, 5_000, 300_000][Int(random.next() % 6)]
          let header = (0..<min(count, 300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
          var message = Message(header: Frame(header))
          if random.next() % 2 == 0 {
            message.payload = Frame(
              [UInt8](repeating: UInt8(truncatingIfNeeded: count), count: count))
          }
          guard try socket.socket.send(message) == .sent else { break }
          if sent == 0 { end = MonotonicClock.now + .seconds(1) }
          sent += 1
        }
      }
      return sent
    }

    // MARK: The client that behaves

    private func submit(_ slow: SlowJob, _ mesh: Mesh) throws -> String {
      let job = try mesh.submit(slow.flags)
      try mesh.waitUntilFolding(job)
      return job
    }

    private func expectResult(of job: String, _ slow: SlowJob, _ mesh: Mesh) throws {
      #expect(try mesh.result(job) == slow.alone)
      #expect(mesh.observed("worker-lost").isEmpty)
      // New connections are taken as before.
      #expect(try mesh.run(["workers"]).wait() == .code(0))
    }

    /// Ports of control, store and each worker.
    private func addresses(_ mesh: Mesh) throws -> [Int] {
      let listing = try json(mesh.output(["workers", "--json"]))
      let workers = (listing as? [[String: Any]] ?? []).compactMap { $0["endpoint"] as? String }
      let endpoints = [mesh.endpoint, mesh.dataEndpoint] + workers
      let ports = endpoints.compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }
      #expect(ports.count == 4, "\(endpoints)")
      return ports
    }

    private func expectBounded(_ members: [Program], _ idle: [Int], _ what: String) throws {
      for (member, before) in zip(members, idle) {
        let grown = try member.residentBytes() - before
        #expect(grown <= Self.growthMaximum, "\(what): \(grown >> 20) MiB more")
      }
    }
  }
}
