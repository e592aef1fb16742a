internal import Foundation
package import MeshRuntime

/// A coordinator and workers in processes of their own, as people start them by hand, to be killed,
/// stopped and cut off. Belongs to one thread; nothing of it is left when it goes.
package final class ChaosMesh {
  /// How it is set up.
  package struct Configuration: Sendable {
    /// Where `attnmesh` is.
    package var executable: String
    package var workers: Int
    package var threadsPerWorker = 1
    /// Whether connections go through proxies, so that they can have faults.
    package var isProxied = false
    package var coordinatorArguments: [String] = []
    package var workerArguments: [String] = []
    package var equipment: [Equipment] = []
    /// Sizes of file systems of their own for store and checkpoints; nil for the run's directory.
    package var storeBytes: Int?
    package var checkpointBytes: Int?
    package var seed: UInt64

    package init(executable: String, workers: Int, seed: UInt64) {
      self.executable = executable
      self.workers = workers
      self.seed = seed
    }
  }

  /// Environment variables for some processes.
  package struct Equipment: Hashable, Sendable {
    /// nil for every worker.
    package var member: MeshMember?
    package var variables: [String: String]
    /// Whether those who are started later in the same place get them too.
    package var isForAllStarts: Bool

    package init(
      _ variables: [String: String], for member: MeshMember? = nil, isForAllStarts: Bool = true
    ) {
      self.variables = variables
      self.member = member
      self.isForAllStarts = isForAllStarts
    }

    func applies(to other: MeshMember, start: Int) -> Bool {
      guard start == 1 || isForAllStarts else { return false }
      return member.map { $0 == other } ?? (other != .coordinator)
    }
  }

  package let directory: RunDirectory
  /// Workers' checkpoints: one directory for all, as on a shared disk.
  package let checkpoints: String
  package let store: String
  private let configuration: Configuration
  let proxies: [MeshMember: [FaultProxy]]
  private let addresses: Addresses
  private let owners: Owners
  private(set) var processes: [MeshMember: ChaosProcess] = [:]
  private var starts: [MeshMember: Int] = [:]
  /// Endings that are no surprise, by process.
  private var excused: [Int32: Set<ChaosProcess.Ending>] = [:]

  /// Makes room and proxies. Nothing runs yet.
  package init(_ configuration: Configuration) throws(MeshError) {
    self.configuration = configuration
    directory = try RunDirectory(executable: configuration.executable)
    store = try Self.disk("store", configuration.storeBytes, in: directory)
    checkpoints = try Self.disk("checkpoints", configuration.checkpointBytes, in: directory)
    owners = Owners()
    addresses = try Addresses(configuration)
    proxies = try addresses.makeProxies(configuration, owners: owners)
  }

  private static func disk(
    _ name: String, _ bytes: Int?, in directory: RunDirectory
  ) throws(MeshError) -> String {
    guard let bytes else { return try directory.makeDirectory(name) }
    return try directory.mountDisk(name, bytes: bytes)
  }

  /// Where clients reach the coordinator, past all proxies.
  package var endpoint: String { "tcp://127.0.0.1:\(addresses.coordinator)" }

  /// Every place where a process was started.
  package var members: [MeshMember] { starts.keys.sorted() }

  package var workers: [MeshMember] { members.filter { $0 != .coordinator } }

  /// Workers whose process is there, also when it is stopped.
  package var livingWorkers: [MeshMember] {
    workers.filter { processes[$0]?.poll() == nil }
  }

  /// Starts a process in a place where none is.
  package func start(_ member: MeshMember) throws(MeshError) {
    if let old = processes[member], old.poll() == nil {
      throw MeshError(.jobFailed, "\(member) is there already")
    }
    let count = (starts[member] ?? 0) + 1
    starts[member] = count
    // Another name: the coordinator may not have missed the old one yet.
    let name = count == 1 ? "\(member)" : "\(member).\(count)"
    let equipment = configuration.equipment.filter { $0.applies(to: member, start: count) }
    var environment: [String: String] = [:]
    for item in equipment { environment.merge(item.variables) { $1 } }
    let process = try directory.start(
      name: name, arguments: arguments(of: member, name: name), environment: environment)
    processes[member] = process
    owners.set(process.process, member)
    if environment["ATTNMESH_FAILPOINT"] != nil {
      excused[process.process] = [.signal(SIGABRT), .signal(SIGKILL)]
    }
  }

  private func arguments(of member: MeshMember, name: String) throws(MeshError) -> [String] {
    switch member {
    case .coordinator:
      var arguments = ["coordinator", "--listen", endpoint, "--http", "off", "--store", store]
      if let proxy = proxies[.coordinator]?.first { arguments += ["--advertise", proxy.endpoint] }
      return arguments + configuration.coordinatorArguments
    case .worker:
      guard let port = addresses.workers[member] else {
        throw MeshError(.badInput, "there is no place for \(member)")
      }
      var arguments = [
        "worker", "--name", name, "--coordinator",
        proxies[.coordinator]?.first?.endpoint ?? endpoint, "--listen",
        "tcp://127.0.0.1:\(port)", "--threads", "\(configuration.threadsPerWorker)",
        "--checkpoints", checkpoints,
      ]
      if let proxy = proxies[member]?.first { arguments += ["--advertise", proxy.endpoint] }
      return arguments + configuration.workerArguments
    }
  }

  // MARK: Faults

  /// Kills them at the same moment, as the loss of their machines would.
  package func kill(_ members: [MeshMember]) {
    for member in members { signal(member, SIGKILL, excusing: .signal(SIGKILL)) }
    for member in members { processes[member]?.wait() }
  }

  /// Stops them, as a frozen machine would be. One that goes on later may find itself refused.
  package func pause(_ members: [MeshMember]) {
    for member in members { signal(member, SIGSTOP, excusing: .code(2)) }
  }

  package func resume(_ members: [MeshMember]) {
    for member in members { processes[member]?.signal(SIGCONT) }
  }

  /// Asks them to end in order: workers hand over first.
  package func drain(_ members: [MeshMember]) {
    for member in members { signal(member, SIGTERM, excusing: .code(0)) }
  }

  private func signal(
    _ member: MeshMember, _ number: Int32, excusing ending: ChaosProcess.Ending
  ) {
    guard let process = processes[member] else { return }
    excused[process.process, default: []].insert(ending)
    process.signal(number)
  }

  /// Processes that ended in a way that no fault explains, each told once.
  package func unexpectedEnds() -> [String] {
    processes.sorted { $0.key < $1.key }.compactMap { _, process in
      guard let ending = process.poll(),
        excused[process.process]?.contains(ending) != true
      else { return nil }
      excused[process.process, default: []].insert(ending)
      return "\(process.name) \(ending): \(process.lastWords)"
    }
  }

  /// Whether the last process in this place has ended.
  package func hasEnded(_ member: MeshMember) -> Bool { processes[member]?.poll() != nil }

  /// Ends everything and removes the directory.
  package func stop() {
    directory.remove()
    for process in processes.values { process.wait() }
    for proxy in proxies.values.joined() { proxy.stop() }
  }
}
