internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// Who this process is to the mesh, and whom it takes for the coordinator.
struct KeyOptions: ParsableArguments {
  @Option(help: "Key file of this process, made by `attnmesh keygen`. (or ATTNMESH_IDENTITY)")
  var identity: String?

  @Option(
    help: "The coordinator's public key, or its .pub file. (or ATTNMESH_COORDINATOR_KEY)")
  var coordinatorKey: String?

  @OptionGroup var insecurity: InsecureFlag

  /// The files of the keys. A key that is given as text is the name of no file.
  var files: [InputPath] {
    [
      ("--identity", identity ?? environment("ATTNMESH_IDENTITY")),
      ("--coordinator-key", coordinatorKey ?? environment("ATTNMESH_COORDINATOR_KEY")),
    ].compactMap { flag, path in path.map { InputPath(flag, $0) } }
  }

  /// What a connection to the coordinator needs; nil where there are no keys and need not be any.
  func credentials(for endpoint: String) throws(MeshError) -> MeshCredentials? {
    let identity = identity ?? environment("ATTNMESH_IDENTITY")
    let key = coordinatorKey ?? environment("ATTNMESH_COORDINATOR_KEY")
    switch (identity, key) {
    case (let identity?, let key?):
      let file = try KeyFile(reading: identity)
      guard file.role != "coordinator" else {
        throw MeshError(
          .badInput, "--identity \(identity): it is a coordinator's; each process has its own key")
      }
      return MeshCredentials(keys: file.keys, coordinatorKey: try MeshRuntime.coordinatorKey(key))
    case (nil, nil):
      guard try isPrivate(endpoint, "--coordinator") || insecurity.isGiven else {
        throw MeshError(
          .badInput,
          "--coordinator \(endpoint): keys are needed beyond this machine: give --identity and"
            + " --coordinator-key, or --insecure on a network where everybody may read along")
      }
      return nil
    case (_?, nil): throw MeshError(.badInput, "--identity goes with --coordinator-key")
    case (nil, _?): throw MeshError(.badInput, "--coordinator-key goes with --identity")
    }
  }
}

/// The way out of keys.
struct InsecureFlag: ParsableArguments {
  @Flag(help: "Go without keys also beyond this machine: no encryption, everybody is admitted.")
  var insecure = false

  var isGiven: Bool { insecure || environment("ATTNMESH_INSECURE") == "1" }

  /// Checks an address to listen on: without keys only this machine may reach it.
  func check(listen endpoint: String, hasKeys: Bool) throws(MeshError) {
    if hasKeys { return _ = try isPrivate(endpoint, "--listen") }
    if try isPrivate(endpoint, "--listen") { return }
    guard isGiven else {
      throw MeshError(
        .badInput,
        "--listen \(endpoint): everybody who reaches this address could use the mesh; make keys"
          + " with `attnmesh keygen`, listen on 127.0.0.1, or give --insecure on a network where"
          + " that is what you want")
    }
    Attnmesh.complain("warning: \(endpoint) accepts everybody: no keys, no encryption")
  }
}

/// Whether only this machine reaches an address.
private func isPrivate(_ endpoint: String, _ flag: String) throws(MeshError) -> Bool {
  let endpoint = try Endpoint(endpoint, flag: flag)
  // Whoever connects to every address means this machine.
  return (flag == "--coordinator" ? endpoint.local : endpoint).isLoopback
}

/// A variable that is set to something.
func environment(_ name: String) -> String? {
  ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
}
