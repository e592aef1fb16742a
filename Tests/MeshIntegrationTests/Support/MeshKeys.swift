import Glibc
import MeshCore
import MeshRuntime
import Testing
import ZeroMQ

/// Key files of every kind, a list of those that are admitted, and a mesh that goes by it.
struct MeshKeys {
  let scratch: Scratch

  init(_ scratch: Scratch) throws {
    self.scratch = scratch
    var lines = ""
    for role in ["coordinator", "worker", "client", "viewer", "operator"] {
      let line = try make(role, role: role)
      if role != "coordinator" { lines += line }
    }
    try allow(lines)
  }

  var allowed: String { text(of: scratch.file("allow")) }

  /// Replaces the list as a whole, as one should.
  func allow(_ lines: String) throws {
    let new = scratch.file("allow.new")
    let file = try #require(fopen(new, "w"))
    fputs(lines, file)
    fclose(file)
    #expect(rename(new, scratch.file("allow")) == 0)
  }

  @discardableResult func make(_ name: String, role: String) throws -> String {
    let flags = ["--role", role, "--name", name, "--output", scratch.file("\(name).key")]
    let run = try scratch.run(["keygen"] + flags)
    #expect(try run.wait() == .code(0), "\(run.errors)")
    return run.output
  }

  func mesh(_ workers: Int, environment: [String: String] = [:]) throws -> Mesh {
    try Mesh(
      scratch, workers: workers,
      coordinatorFlags: [
        "--identity", scratch.file("coordinator.key"), "--allow", scratch.file("allow"),
      ], workerFlags: identity("worker"), environment: environment)
  }

  func identity(_ name: String) -> [String] {
    [
      "--identity", scratch.file("\(name).key"), "--coordinator-key",
      scratch.file("coordinator.key.pub"),
    ]
  }

  /// A socket that proves to have one of the keys, to a server that has to prove another.
  func socket(_ name: String, to server: String) throws -> OwnedSocket {
    let serverKey = try KeyFile(reading: scratch.file("\(server).key")).keys.publicKey
    var options = SocketOptions(
      sendHighWaterMark: 64, receiveHighWaterMark: 64, maximumFrameBytes: 1 << 21)
    options.security = .client(
      try KeyFile(reading: scratch.file("\(name).key")).keys, serverKey: serverKey)
    return try OwnedSocket(.dealer, context: Context(), options: options)
  }

  /// A client of a mesh's store that has one of the keys.
  func store(_ name: String, _ mesh: Mesh) throws -> MeshClient {
    let coordinator = try KeyFile(reading: scratch.file("coordinator.key")).keys.publicKey
    let client = try MeshClient(
      endpoint: mesh.endpoint, name: name,
      credentials: MeshCredentials(
        keys: KeyFile(reading: scratch.file("\(name).key")).keys,
        coordinatorKey: #require(PublicKey(coordinator))))
    try client.connectStore(mesh.dataEndpoint)
    return client
  }
}
