internal import Glibc
internal import MeshCore
internal import MeshRuntime

/// A mesh whose workers are lost one after the other, and stood in for by new processes.
struct FailoverMesh {
  let mesh: LocalMesh
  let client: MeshClient
  let watch: MeshWatch
  private let isCancelled: @Sendable () -> Bool
  /// Workers that are there and well.
  private(set) var workers: [String]

  private static let patience = 20.0

  /// - Parameter arguments: of every worker.
  init(
    workers count: Int, arguments: [String], isCancelled: @escaping @Sendable () -> Bool
  ) throws(MeshError) {
    watch = MeshWatch()
    self.isCancelled = isCancelled
    var configuration = LocalMesh.Configuration(
      workers: count, threadsPerWorker: 1,
      memoryBytesPerWorker: ProcessMemory.availableBytes / (count + 1), arguments: arguments)
    configuration.log = watch.log
    mesh = try LocalMesh(configuration)
    workers = mesh.processes.keys.sorted()
    do throws(MeshError) {
      client = try MeshClient(endpoint: mesh.controlEndpoint, name: "bench")
      try client.waitForWorkers(count, isCancelled: isCancelled)
    } catch {
      mesh.stop()
      throw error
    }
  }

  func stop() {
    watch.stop()
    mesh.stop()
  }

  /// A job of which every worker has folded something.
  func startJob(_ inputs: JobInputs) throws(MeshError) -> RemoteJob {
    let job = try RemoteJob(
      submitting: inputs, deadlineSeconds: 0, client: client, isCancelled: isCancelled,
      progress: { _, _ in })
    let end = seconds(of: CLOCK_MONOTONIC) + Self.patience
    while seconds(of: CLOCK_MONOTONIC) < end {
      let status = try job.status()
      let busy = Set(status.ranks.filter { $0.next > 0 }.map(\.worker))
      if workers.allSatisfy({ busy.contains($0) }) { return job }
      guard !status.summary.state.isTerminal else { break }
      rest(seconds: 0.01)
    }
    let reason = try job.status().summary.reason
    throw MeshError(.jobFailed, "not every worker got on with its part: \(reason)")
  }

  /// Ends a job, whatever has become of it.
  func end(_ job: RemoteJob) throws(MeshError) {
    do throws(MeshError) { try job.cancel() } catch {
      if error.kind == .unreachable { throw error }
    }
  }

  /// Sends a signal to a worker; returns when.
  func signal(_ worker: String, _ number: Int32) throws(MeshError) -> Double {
    guard let process = mesh.processes[worker] else {
      throw MeshError(.jobFailed, "\(worker) has ended by itself")
    }
    let now = seconds(of: CLOCK_MONOTONIC)
    kill(process, number)
    return now
  }

  /// Waits until the coordinator takes a worker for lost.
  func loss(of worker: String, since start: Double) throws(MeshError) -> MeshWatch.Sighting {
    let found = watch.wait(for: .workerLost, of: worker, since: start, upTo: Self.patience)
    guard let found else { throw MeshError(.jobFailed, "the loss of \(worker) wasn't noticed") }
    return found
  }

  /// Kills a worker that is lost already or is to go.
  mutating func remove(_ worker: String) throws(MeshError) {
    workers.removeAll { $0 == worker }
    watch.expectLoss(of: worker)
    if let process = mesh.processes[worker] { kill(process, SIGKILL) }
  }

  /// Starts a process in place of one that is gone, and waits until it is a member.
  mutating func add(environment: [String: String] = [:]) throws(MeshError) -> String {
    let start = seconds(of: CLOCK_MONOTONIC)
    let name = try mesh.startWorker(environment: environment)
    guard watch.wait(for: .workerJoined, of: name, since: start, upTo: Self.patience) != nil else {
      throw MeshError(.jobFailed, "\(name) didn't join")
    }
    workers.append(name)
    return name
  }

  /// Whether a worker that was taken for lost is a member again.
  func isBack(_ worker: String, since start: Double) -> Bool {
    guard watch.wait(for: .workerJoined, of: worker, since: start, upTo: 5) != nil else {
      return false
    }
    watch.expectNoLoss(of: worker)
    return true
  }

  func checkCancelled() throws(MeshError) {
    if isCancelled() { throw MeshError(.interrupted, "interrupted") }
  }
}
