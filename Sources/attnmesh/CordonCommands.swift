internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime

/// `attnmesh cordon`.
struct Cordon: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Give a worker nothing new; it keeps what it has.",
    discussion: """
      A cordoned worker goes on with the virtual ranks and copies that it has, and is given no others:
      neither by new jobs nor after a loss. It takes copies only where no other worker could keep them.
      It stays cordoned until `attnmesh uncordon`, also when it or the coordinator is started again.
      """.prose)

  @OptionGroup var target: WorkerArgument
  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let workers = try target.ask(.cordon(target.worker, isLifted: false), mesh)
    target.tell(workers, asJSON: json, "\(target.worker) is cordoned")
  }
}

/// `attnmesh uncordon`.
struct Uncordon: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Give a cordoned worker work again.")

  @OptionGroup var target: WorkerArgument
  @OptionGroup(title: "Mesh") var mesh: MeshOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let workers = try target.ask(.cordon(target.worker, isLifted: true), mesh)
    target.tell(workers, asJSON: json, "\(target.worker) may be given work again")
  }
}

/// A worker's name as an argument, and what is said of that worker.
struct WorkerArgument: ParsableArguments {
  @Argument(help: "The worker's name, as `attnmesh workers` shows it.")
  var worker: String

  /// Calls a method that answers with the workers there are.
  func ask(_ request: CallRequest, _ mesh: MeshOptions) throws(MeshError) -> [WorkerStatus] {
    guard case .workers(let workers) = try mesh.client().call(request).orThrow() else {
      throw MeshError(.unreachable, "the coordinator gave an answer to something else")
    }
    return workers
  }

  func tell(_ workers: [WorkerStatus], asJSON isJSON: Bool, _ text: String) {
    guard isJSON else { return print(text) }
    let status = workers.first { $0.name == worker }
    printJSON(
      StandingView(
        worker: worker, standing: status?.standing.name ?? "away",
        vranks: status?.vranks.map(\.index) ?? []))
  }

  private struct StandingView: Encodable {
    var worker: String
    var standing: String
    var vranks: [Int]
  }
}
