internal import Glibc
internal import MeshCore
internal import Synchronization
internal import ZeroMQ

/// A coordinator in this process and worker processes on this machine, connected by sockets in a
/// private directory. Nothing of it is left when it stops, or when this process is killed: workers
/// watch a pipe from here, and the last one to go removes the directory.
package final class LocalMesh: Sendable {
  /// How many workers, and what each is like.
  package struct Configuration: Sendable {
    package var workers: Int
    package var threadsPerWorker: Int
    package var memoryBytesPerWorker: Int
    /// Further workers that take part only in place of one that was lost.
    package var spares: Int
    /// Whether checkpoints are written, beside copies in other workers' memory.
    package var hasCheckpoints: Bool
    /// Further arguments of every worker, and of single ones by index.
    package var arguments: [String]
    package var argumentsByWorker: [Int: [String]]
    /// What the coordinator's observations are told to.
    package var log = ObservationLog()

    package init(
      workers: Int, threadsPerWorker: Int, memoryBytesPerWorker: Int, spares: Int = 0,
      hasCheckpoints: Bool = true, arguments: [String] = [],
      argumentsByWorker: [Int: [String]] = [:]
    ) {
      self.workers = workers
      self.threadsPerWorker = threadsPerWorker
      self.memoryBytesPerWorker = memoryBytesPerWorker
      self.spares = spares
      self.hasCheckpoints = hasCheckpoints
      self.arguments = arguments
      self.argumentsByWorker = argumentsByWorker
    }
  }

  private let configuration: Configuration
  private let directory: String
  private let coordinator: CoordinatorService
  private let children: Monitor<[pid_t: String]>
  /// How many workers have been started.
  private let startCount: Mutex<Int>
  /// The pipe that tells the workers when this process is gone.
  private let lifeline: (read: Int32, write: Int32)
  private let supervisor: DedicatedThread

  package var controlEndpoint: String { coordinator.controlEndpoint }

  package init(_ configuration: Configuration) throws(MeshError) {
    self.configuration = configuration
    directory = try Self.makeDirectory()
    do throws(MeshError) {
      coordinator = try CoordinatorService(
        CoordinatorService.Configuration(
          controlEndpoint: "ipc://\(directory)/control", dataEndpoint: "ipc://\(directory)/store",
          advertised: nil, store: nil, diskQuotaBytes: .max, retention: .seconds(3_600),
          isClosed: true,
          log: configuration.log))
    } catch {
      removeRunDirectory(directory)
      throw error
    }
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0, "no pipe: \(errno)")
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    lifeline = (ends[0], ends[1])
    let count = configuration.workers + configuration.spares
    var started: [pid_t: String] = [:]
    for index in 0..<count {
      let arguments = Self.arguments(
        index, configuration, directory: directory, coordinator: coordinator.controlEndpoint)
      if let process = spawnItself(arguments, lifeline: ends[0]) {
        started[process] = Self.name(index)
      }
    }
    startCount = Mutex(count)
    let children = Monitor(started)
    self.children = children
    let coordinator = self.coordinator
    do throws(ZeroMQError) {
      supervisor = try DedicatedThread(name: "supervisor") {
        supervise(children) { name, reason in
          coordinator.processEnded(name: name, reason: reason)
        }
      }
    } catch {
      preconditionFailure("no thread for the supervisor: \(error)")
    }
    guard started.count == count else {
      stop()
      throw MeshError(.jobFailed, "a worker process can't be started: \(errno)")
    }
  }

  private static func name(_ index: Int) -> String { "worker-\(index + 1)" }

  /// Starts one more worker, as one would that takes the place of another; its name is new. The
  /// supervisor goes with the last worker, so one has to be running.
  ///
  /// - Parameter environment: added to that of this process.
  package func startWorker(environment: [String: String] = [:]) throws(MeshError) -> String {
    let index = startCount.withLock { count in
      defer { count += 1 }
      return count
    }
    let name = Self.name(index)
    var arguments = configuration
    arguments.workers = index + 1
    let line = Self.arguments(
      index, arguments, directory: directory, coordinator: coordinator.controlEndpoint)
    // With the lock held: its end must not be noticed before its beginning.
    let isStarted = children.update { children in
      guard !children.isEmpty,
        let process = spawnItself(line, lifeline: lifeline.read, environment: environment)
      else { return false }
      children[process] = name
      return true
    }
    guard isStarted else {
      throw MeshError(.jobFailed, "a worker process can't be started: \(errno)")
    }
    return name
  }

  package static func makeDirectory() throws(MeshError) -> String {
    // Socket paths are limited to 107 bytes: a long TMPDIR would not do.
    let temporary = StoreDirectory.temporary
    let parent = temporary.utf8.count < 60 ? temporary : "/tmp"
    var template = Array("\(parent)/attnmesh-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw MeshError(
        .badInput, "\(parent): \(String(cString: strerror(errno))); set TMPDIR to a directory")
    }
    return template.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) }
  }

  private static func arguments(
    _ index: Int, _ configuration: Configuration, directory: String, coordinator: String
  ) -> [String] {
    let name = name(index)
    return [
      "attnmesh", "worker", "--name", name, "--coordinator", coordinator, "--listen",
      "ipc://\(directory)/\(name)", "--threads", "\(configuration.threadsPerWorker)", "--memory",
      "\(configuration.memoryBytesPerWorker)", "--lifeline", directory,
    ] + (configuration.hasCheckpoints ? ["--checkpoints", "\(directory)/checkpoints"] : [])
      + (index >= configuration.workers ? ["--spare"] : []) + configuration.arguments
      + (configuration.argumentsByWorker[index] ?? [])
  }

  /// Process ids of the workers that run, by name.
  package var processes: [String: Int32] {
    children.read { Dictionary(uniqueKeysWithValues: $0.map { ($1, $0) }) }
  }

  /// Why nothing can go on: every worker's process has ended.
  package var lossOfAll: MeshError? {
    guard children.read({ $0.isEmpty }) else { return nil }
    return MeshError(.jobFailed, "every worker was lost: their processes have ended")
  }

  /// Ends the workers, then the coordinator, and removes the directory.
  package func stop() {
    let running = children.read { Array($0.keys) }
    // They keep nothing: there is nothing to end in order.
    for process in running { kill(process, SIGKILL) }
    supervisor.join()
    coordinator.stop()
    close(lifeline.write)
    close(lifeline.read)
    removeRunDirectory(directory)
  }
}

/// The descriptor at which a worker finds the pipe from its parent.
package let lifelineDescriptor: Int32 = 3

/// Starts this executable again with other arguments, in a process group of its own: Ctrl-C goes to
/// the parent alone, which ends its children in order.
///
/// - Parameter lifeline: what it finds as `lifelineDescriptor`.
package func spawnItself(
  _ arguments: [String], lifeline: Int32? = nil, environment: [String: String] = [:]
) -> Int32? {
  var actions = posix_spawn_file_actions_t()
  var attributes = posix_spawnattr_t()
  posix_spawn_file_actions_init(&actions)
  posix_spawnattr_init(&attributes)
  defer {
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
  }
  if let lifeline { posix_spawn_file_actions_adddup2(&actions, lifeline, lifelineDescriptor) }
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
  var process = pid_t()
  var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
  var added: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") }
  defer { for pointer in pointers + added { free(pointer) } }
  // Of a variable that is there twice the first one counts.
  var inherited = environ
  while let variable = inherited.pointee {
    added.append(strdup(variable))
    inherited += 1
  }
  added.append(nil)
  let status = posix_spawn(
    &process, "/proc/self/exe", &actions, &attributes, &pointers, &added)
  return status == 0 ? process : nil
}

/// Waits for children until none is left.
private func supervise(
  _ children: Monitor<[pid_t: String]>, ended: (_ name: String, _ reason: String) -> Void
) {
  while children.read({ !$0.isEmpty }) {
    var status: Int32 = 0
    let process = waitpid(-1, &status, 0)
    if process < 0 {
      if errno == EINTR { continue }
      return children.update { $0 = [:] }
    }
    let name = children.update { $0.removeValue(forKey: process) }
    if let name { ended(name, reason(status)) }
  }
}

private func reason(_ status: Int32) -> String {
  let signal = status & 0x7F
  if signal == 0 { return "its process ended with code \((status >> 8) & 0xFF)" }
  return "its process was ended by signal \(signal)"
}

/// Removes a run directory with the sockets and checkpoints in it. It may be gone already.
package func removeRunDirectory(_ directory: String) {
  let checkpoints = directory + "/checkpoints"
  for name in names(inDirectory: checkpoints) { unlink("\(checkpoints)/\(name)") }
  rmdir(checkpoints)
  for name in names(inDirectory: directory) { unlink("\(directory)/\(name)") }
  rmdir(directory)
}

/// Ends this process when the parent that started it is gone: the pipe from it then closes.
package func watchLifeline(directory: String) throws(MeshError) {
  do throws(ZeroMQError) {
    _ = try DedicatedThread(name: "lifeline") {
      var byte: UInt8 = 0
      while read(lifelineDescriptor, &byte, 1) < 0, errno == EINTR {}
      removeRunDirectory(directory)
      _exit(0)
    }
  } catch {
    throw MeshError(.badInput, "no thread: \(error.description)")
  }
}
