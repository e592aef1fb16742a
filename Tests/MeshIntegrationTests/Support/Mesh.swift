import Foundation

/// A coordinator and workers on loopback, as people start them by hand.
final class Mesh {
  let scratch: Scratch
  private(set) var coordinator: Program
  /// Where the coordinator bound its control socket.
  private(set) var endpoint: String
  private let coordinatorFlags: [String]
  private let environment: [String: String]
  private let workerFlags: [String]
  private(set) var workers: [String: Program] = [:]

  /// Starts a coordinator, and `count` workers named w1, w2, …
  ///
  /// - Parameters:
  ///   - port: nil for one that the system chooses.
  ///   - environment: of all workers.
  init(
    _ scratch: Scratch, workers count: Int, port: Int? = nil, coordinatorFlags: [String] = [],
    workerFlags: [String] = [], environment: [String: String] = [:]
  ) throws {
    self.scratch = scratch
    // A chosen port says nothing about the ones above it.
    let web = coordinatorFlags.contains("--http") ? [] : ["--http", "off"]
    self.coordinatorFlags = coordinatorFlags + web
    self.workerFlags = workerFlags
    self.environment = environment
    coordinator = try scratch.start(
      ["coordinator", "--listen", "tcp://127.0.0.1:\(port.map(String.init) ?? "*")"]
        + self.coordinatorFlags)
    endpoint = try Self.address(of: coordinator)
    for number in 0..<count { try startWorker("w\(number + 1)") }
  }

  /// A mesh whose coordinator can be started again where it was, on the same store.
  static func withStore(
    _ scratch: Scratch, workers count: Int, environment: [String: String] = [:]
  ) throws -> Mesh {
    try Mesh(
      scratch, workers: count, port: try TCPProxy.freePort(beside: 1),
      coordinatorFlags: ["--store", scratch.file("store")], environment: environment)
  }

  /// A coordinator says where it listens, after what it found in its store.
  private static func address(of coordinator: Program) throws -> String {
    try eventually("the coordinator's address") {
      guard coordinator.isRunning else { throw HarnessError("coordinator: \(coordinator.errors)") }
      let line = coordinator.errorLines.first { $0.contains(", data at ") }
      guard let line, let start = line.range(of: "tcp://"), let end = line.range(of: ", data at ")
      else { return nil }
      return String(line[start.lowerBound..<end.lowerBound])
    }
  }

  /// Where the coordinator bound its data socket.
  var dataEndpoint: String {
    let line = coordinator.errorLines.first { $0.contains(", data at ") } ?? ""
    let words = line.split(separator: " ").filter { $0.hasPrefix("tcp://") && $0.hasSuffix(";") }
    return words.first.map { String($0.dropLast()) } ?? ""
  }

  func killCoordinator() throws {
    coordinator.signal(SIGKILL)
    try coordinator.wait()
  }

  /// Starts the coordinator again, as it was.
  func restartCoordinator(_ environment: [String: String] = [:]) throws {
    coordinator = try scratch.start(
      ["coordinator", "--listen", endpoint] + coordinatorFlags, environment)
    _ = try Self.address(of: coordinator)
  }

  /// Starts a worker and waits until the coordinator knows it.
  @discardableResult func startWorker(
    _ name: String, _ flags: [String] = [], _ environment: [String: String]? = nil
  ) throws -> Program {
    let count = joined(name)
    let worker = try launch(name, flags, environment)
    try eventually("worker \(name)") {
      guard worker.isRunning else { throw HarnessError("worker \(name): \(worker.errors)") }
      return joined(name) > count
    }
    return worker
  }

  /// Starts workers with these names and environments all at once, and waits until the coordinator knows
  /// them, in whatever order that is.
  func startWorkers(_ environments: [String: [String: String]]) throws {
    for (name, environment) in environments { try launch(name, [], environment) }
    try eventually("workers") { environments.keys.allSatisfy { joined($0) > 0 } }
  }

  @discardableResult private func launch(
    _ name: String, _ flags: [String], _ environment: [String: String]?
  ) throws -> Program {
    let flags = workerFlags + flags
    let coordinator = flags.contains("--coordinator") ? [] : ["--coordinator", endpoint]
    let threads = flags.contains("--threads") ? [] : ["--threads", "1"]
    let worker = try scratch.start(
      ["worker", "--name", name] + coordinator + threads + flags, environment ?? self.environment)
    workers[name] = worker
    return worker
  }

  /// How often the worker has joined so far.
  func joined(_ name: String) -> Int { observed("worker-joined worker=\(name) ").count }

  /// Lines of the coordinator's log that hold this text.
  func observed(_ text: String) -> [String] {
    coordinator.errorLines.filter { $0.contains(text) }
  }

  /// Flags that lead a client here.
  var flags: [String] { ["--coordinator", endpoint] }

  func kill(_ worker: String) throws {
    workers[worker]?.signal(SIGKILL)
    try workers[worker]?.wait()
  }

  /// Keys of commands that don't name their own.
  var identity: [String] = []

  /// Runs a command against this mesh.
  func run(_ arguments: [String], _ environment: [String: String] = [:]) throws -> Program {
    let keys = arguments.contains("--identity") ? [] : identity
    return try scratch.run(arguments + keys + flags, environment)
  }

  /// Runs a command that must succeed, and gives what it printed.
  @discardableResult func output(
    _ arguments: [String], _ environment: [String: String] = [:]
  ) throws -> String {
    let program = try run(arguments, environment)
    guard try program.wait() == .code(0) else {
      throw HarnessError("\(arguments.joined(separator: " ")): \(program.errors)")
    }
    return program.output
  }

  func submit(_ flags: [String], _ environment: [String: String] = [:]) throws -> String {
    try output(["submit", "--quiet"] + flags, environment)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func status(_ job: String) throws -> [String: Any] {
    try jsonObject(try output(["job", job, "--json"]))
  }

  func summary(_ job: String) throws -> [String: Any] {
    try status(job)["summary"] as? [String: Any] ?? [:]
  }

  func state(_ job: String) throws -> String { try summary(job)["state"] as? String ?? "" }

  /// Waits until workers have folded some of the job, and not yet all.
  func waitUntilFolding(_ job: String) throws {
    try eventually("folds of job \(job)") {
      let summary = try summary(job)
      let state = summary["state"] as? String ?? ""
      guard ["uploading", "sealing", "queued", "running"].contains(state) else {
        throw HarnessError("job \(job) is \(state) already: \(summary["reason"] ?? "")")
      }
      return (summary["tiles_folded"] as? Int ?? 0) > 0
    }
  }

  /// Waits for a job's end and fetches its result.
  func result(_ job: String, name: String = "result") throws -> Attended {
    try output(
      [
        "result", job, "--quiet", "--output", scratch.file("\(name).npy"), "--lse",
        scratch.file("\(name)-lse.npy"),
      ])
    return try scratch.attended(name)
  }
}
