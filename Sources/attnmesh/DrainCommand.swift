internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime

/// `attnmesh drain`.
struct Drain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Relieve a worker of what it hosts, and let it end.",
    discussion: """
      Its virtual ranks stop at a tile boundary, are copied, and go on elsewhere: no tile is folded
      twice. Waits until the worker has gone; Ctrl-C ends the waiting, not the draining. Without another
      worker to take over, it waits for one. Asks first, on a terminal; elsewhere --yes has to be given.

      Example, a rolling restart:
        attnmesh drain worker-1 --yes     # its supervisor starts it again
        attnmesh drain worker-2 --yes
      """.prose)

  @OptionGroup var target: WorkerArgument
  @OptionGroup var confirmation: ConfirmationOptions
  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Don't wait.") var noWait = false
  @Flag(help: "No output; errors still show.") var quiet = false
  @Flag(help: "Print JSON: what is left of it at the end.") var json = false

  func run() throws {
    let worker = target.worker
    let client = try mesh.client()
    try confirmation.confirm("drain \(worker)") { try question(client) }
    let interruption = Interruption()
    guard case .workers(let workers) = try client.call(.drain(worker)).orThrow() else { return }
    guard !noWait, let incarnation = workers.first(where: { $0.name == worker })?.worker else {
      if json { target.tell(workers, asJSON: true, "") }
      return
    }
    var last = ""
    while case .workers(let now) = try client.call(
      .workers, isCancelled: { interruption.isRequested }
    ).orThrow() {
      guard let status = now.present.first(where: { $0.worker == incarnation }) else {
        // Another may be there under its name already.
        if json { target.tell([], asJSON: true, "") } else if !quiet { print("\(worker) has gone") }
        return
      }
      let ranks = status.vranks.map(\.description).joined(separator: ", ")
      let line = ranks.isEmpty ? "hosts nothing any more" : "still hosts virtual ranks \(ranks)"
      if line != last, !quiet, !json { Attnmesh.complain("\(worker) \(line)", prefixed: false) }
      last = line
      if interruption.wait(upTo: 0.2) {
        throw MeshError(.interrupted, "interrupted; \(worker) is drained all the same")
      }
    }
  }

  private func question(_ client: MeshClient) throws -> String {
    guard case .workers(let workers) = try client.call(.workers).orThrow(),
      let status = workers.present.first(where: { $0.name == target.worker })
    else { return "drain \(target.worker)" }
    let ranks = status.vranks.map(\.description).joined(separator: ", ")
    let what = ranks.isEmpty ? "hosts nothing" : "hosts virtual ranks \(ranks)"
    return "drain \(status.name), which \(what)"
  }
}
