import Glibc

/// An `attend` in its own process, so large that a test can do something in the middle of it.
final class LocalRun {
  let scratch: Scratch
  let program: Program
  private static let outputs = "out"

  /// - Parameters:
  ///   - workers: nil for a run without a mesh.
  init(
    _ scratch: Scratch, inputs: [String], workers: Int?, more: [String] = [],
    environment: [String: String] = [:]
  ) throws {
    self.scratch = scratch
    mkdir(scratch.file(Self.outputs), 0o700)
    let output = scratch.file(Self.outputs)
    let mesh = workers.map { ["--workers", "\($0)"] } ?? []
    program = try scratch.start(
      ["attend", "--quiet", "--output", "\(output)/o.npy", "--lse", "\(output)/lse.npy"]
        + ["--threads", "1", "--report", "\(output)/report.json"] + inputs + mesh + more,
      environment)
  }

  /// What a run that succeeded wrote.
  func result() throws -> (attended: Attended, report: [String: Any]) {
    guard try program.wait() == .code(0) else { throw HarnessError(program.errors) }
    let output = scratch.file(Self.outputs)
    let attended = Attended(
      output: try TensorData(reading: "\(output)/o.npy"),
      logSumExp: try TensorData(reading: "\(output)/lse.npy"))
    return (attended, try jsonObject(text(of: "\(output)/report.json")))
  }

  /// Names of all that was written beside the output, hidden files too.
  var outputs: [String] { scratch.names(in: scratch.file(Self.outputs)) }

  /// Where the run's own coordinator listens.
  private var endpoint: String? {
    scratch.names(in: scratch.temporary).first { $0.hasPrefix("attnmesh-") }
      .map { "ipc://\(scratch.temporary)/\($0)/control" }
  }

  /// Waits until what every rank has folded is in another worker's memory.
  func waitUntilCopied() throws {
    try wait("copies") { ($0["protection"] as? String)?.hasPrefix("peer") == true }
  }

  /// Waits until something that the worker has folded, and goes on with, is in another worker's memory.
  func waitUntilCopied(from worker: String) throws {
    try wait("copies of \(worker)") { status in
      (status["ranks"] as? [[String: Any]] ?? []).contains {
        $0["worker"] as? String == worker && $0["final"] as? Bool == false
          && $0["copied"] as? Int ?? 0 > 0
      }
    }
  }

  /// Waits for something that the job's status must tell while it runs.
  private func wait(_ what: String, isTrue: ([String: Any]) -> Bool) throws {
    try waitUntilFolding()
    try eventually(what) {
      guard program.isRunning else { throw HarnessError("over too early: \(program.errors)") }
      guard let endpoint else { return false }
      let jobs = try scratch.run(["jobs", "--json", "--coordinator", endpoint])
      let list = try json(jobs.output) as? [[String: Any]]
      guard let job = list?.first?["job"] as? String else { return false }
      let status = try scratch.run(["job", job, "--json", "--coordinator", endpoint])
      return isTrue(try jsonObject(status.output))
    }
  }

  /// Waits until the workers have folded something, by asking the run's coordinator.
  func waitUntilFolding() throws {
    try eventually("folds") {
      guard program.isRunning else { throw HarnessError("over too early: \(program.errors)") }
      guard let endpoint, !scratch.workers.isEmpty else { return false }
      let jobs = try scratch.run(["jobs", "--json", "--coordinator", endpoint])
      guard let list = try? json(jobs.output) as? [[String: Any]] else { return false }
      return list.contains { ($0["tiles_folded"] as? Int ?? 0) > 0 }
    }
  }

  /// Waits until a run without a mesh computes: its threads are named.
  func waitUntilComputing() throws {
    let tasks = "/proc/\(program.process)/task"
    try eventually("compute threads") {
      guard program.isRunning else { throw HarnessError("over too early: \(program.errors)") }
      return scratch.names(in: tasks).contains {
        text(of: "\(tasks)/\($0)/comm").hasPrefix("compute-0")
      }
    }
  }
}

/// A job that takes seconds.
func writeLargeInputs(to scratch: Scratch) throws -> [String] {
  try JobTensors.fixture(tokens: 24_000).write(to: scratch, name: "large-")
    + ["--mask", "causal", "--scale", "0.125"]
}
