internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// A mesh on loopback that jobs come to from other processes: its coordinator's loops are in this
/// process, so that what they observe has the time of this process's clock; its workers are processes.
final class StandingMesh {
  let endpoint: String
  private let coordinator: CoordinatorService
  private let directory: String
  private var workers: [Int32] = []
  /// The pipe that tells the workers when this process is gone.
  private let lifeline: (read: Int32, write: Int32)

  /// - Parameter hasStore: whether jobs outlive the coordinator, and are synced to disk for that.
  init(workers count: Int, hasStore: Bool, log: ObservationLog) throws(MeshError) {
    directory = try LocalMesh.makeDirectory()
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0, "no pipe: \(errno)")
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    lifeline = (ends[0], ends[1])
    do throws(MeshError) {
      coordinator = try CoordinatorService(
        CoordinatorService.Configuration(
          controlEndpoint: "tcp://127.0.0.1:*", dataEndpoint: "tcp://127.0.0.1:*", advertised: nil,
          store: hasStore ? directory + "/store" : nil, diskQuotaBytes: .max,
          retention: .seconds(3_600), log: log))
    } catch {
      for end in ends { close(end) }
      try? FileManager.default.removeItem(atPath: directory)
      throw error
    }
    endpoint = coordinator.controlEndpoint
    for number in 1...count {
      let process = spawnItself(
        [
          "attnmesh", "worker", "--name", "worker-\(number)", "--coordinator", endpoint,
          "--threads", "1", "--memory", "\(ProcessMemory.availableBytes / (count + 1))",
          "--checkpoints", "\(directory)/checkpoints", "--lifeline", directory,
        ], lifeline: lifeline.read)
      guard let process else {
        stop()
        throw MeshError(.jobFailed, "a worker process can't be started: \(errno)")
      }
      workers.append(process)
    }
  }

  /// Runs this program with other arguments to its end.
  func run(_ arguments: [String]) throws(MeshError) {
    guard let process = spawnItself(["attnmesh"] + arguments) else {
      throw MeshError(.jobFailed, "a process can't be started: \(errno)")
    }
    let status = wait(for: process)
    guard status == 0 else {
      throw MeshError(
        .jobFailed, "attnmesh \(arguments.joined(separator: " ")) ended with \(status)")
    }
  }

  private func wait(for process: Int32) -> Int32 {
    var status: Int32 = 0
    // waitpid: the process, or -1 with EINTR.
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status
  }

  /// Ends the workers, then the coordinator, and removes the directory.
  func stop() {
    for process in workers { kill(process, SIGKILL) }
    for process in workers { _ = wait(for: process) }
    coordinator.stop()
    close(lifeline.write)
    close(lifeline.read)
    try? FileManager.default.removeItem(atPath: directory)
  }
}
