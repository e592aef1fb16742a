internal import Foundation
internal import MeshRuntime
internal import Synchronization

/// A process of a run, whose fate is in our hands.
package final class ChaosProcess: Sendable {
  /// How a process ended.
  package enum Ending: Hashable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)

    package var description: String {
      switch self {
      case .code(let code): "ended with code \(code)"
      case .signal(let signal): "was ended by signal \(signal)"
      }
    }
  }

  package let name: String
  package let process: Int32
  /// Its standard output and error.
  package let logPath: String
  private let ending = Mutex<Ending?>(nil)

  /// - Parameters:
  ///   - group: process group to join; 0 for one of its own.
  ///   - lifeline: what it finds as `lifelineDescriptor`.
  init(
    name: String, executable: String, arguments: [String], environment: [String: String],
    logPath: String, group: pid_t, lifeline: Int32? = nil
  ) throws(MeshError) {
    self.name = name
    self.logPath = logPath
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    let flags = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 1, logPath, flags, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    if let lifeline {
      posix_spawn_file_actions_adddup2(&actions, lifeline, lifelineDescriptor)
    }
    Self.setSignals(of: &attributes)
    posix_spawnattr_setpgroup(&attributes, group)
    var words: [UnsafeMutablePointer<CChar>?] =
      ([executable] + arguments).map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] =
      environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    var process = pid_t()
    let status = posix_spawn(&process, executable, &actions, &attributes, &words, &variables)
    guard status == 0 else {
      throw MeshError(.jobFailed, "\(executable): \(String(cString: strerror(status)))")
    }
    self.process = process
  }

  /// As a shell would start it: what this process ignores or blocks is its own business.
  private static func setSignals(of attributes: inout posix_spawnattr_t) {
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
  }

  /// Sends a signal, unless the process has ended: its number may be another's by then.
  package func signal(_ number: Int32) {
    ending.withLock { ending in
      if Self.collect(&ending, process) == nil { kill(process, number) }
    }
  }

  /// How it ended; nil while it is there, also when it is stopped.
  package func poll() -> Ending? {
    ending.withLock { Self.collect(&$0, process) }
  }

  /// Waits for its end.
  @discardableResult package func wait() -> Ending {
    ending.withLock { ending in
      while true {
        if let ending = Self.collect(&ending, process, options: 0) { return ending }
      }
    }
  }

  private static func collect(
    _ ending: inout Ending?, _ process: pid_t, options: Int32 = WNOHANG
  ) -> Ending? {
    if let ending { return ending }
    var status: Int32 = 0
    // waitpid: the process, 0 while it runs, or -1 with EINTR.
    guard waitpid(process, &status, options) == process else { return nil }
    let signal = status & 0x7F
    ending = signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
    return ending
  }

  /// Where it crashed, or else the last thing it said.
  package var lastWords: String {
    let lines = contents(ofFile: logPath).split(separator: "\n")
    guard let crash = lines.firstIndex(where: { $0.hasSuffix(" crashed:") }) else {
      return lines.last.map(String.init) ?? "it said nothing"
    }
    // Address and function of the first frame that is its own code: "1 0x… CheckpointFile.write(…".
    let frame = lines[crash...].first {
      $0.contains(" in attnmesh at ") && !$0.contains("[system]")
    }
    return frame.map { $0.split(separator: " ").dropFirst(2).joined(separator: " ") } ?? "a crash"
  }
}
