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
      worker to take over, it waits for one.

      Example, a rolling restart:
        attnmesh drain worker-1     # its supervisor starts it again
        attnmesh drain worker-2
      """)

  @Argument(help: "The worker's name, as `attnmesh workers` shows it.")
  var worker: String

  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Don't wait.") var noWait = false
  @Flag(help: "No output; errors still show.") var quiet = false

  func run() throws {
    let client = try mesh.client()
    let interruption = Interruption()
    guard case .workers(let workers) = try client.call(.drain(worker)).orThrow() else { return }
    guard !noWait, let target = workers.first(where: { $0.name == worker })?.worker else { return }
    var last = ""
    while case .workers(let now) = try client.call(
      .workers, isCancelled: { interruption.isRequested }
    ).orThrow() {
      guard let status = now.first(where: { $0.worker == target }) else {
        if !quiet { print("\(worker) has gone") }
        return
      }
      let ranks = status.vranks.map(\.description).joined(separator: ", ")
      let line = ranks.isEmpty ? "hosts nothing any more" : "still hosts virtual ranks \(ranks)"
      if line != last, !quiet { Attnmesh.complain("\(worker) \(line)", prefixed: false) }
      last = line
      if interruption.wait(upTo: 0.2) {
        throw MeshError(.interrupted, "interrupted; \(worker) is drained all the same")
      }
    }
  }
}
