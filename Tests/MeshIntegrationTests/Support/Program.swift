import Glibc

/// One process of the executable. Its output goes to files, so that it never waits for a reader.
final class Program {
  /// How a process ended.
  enum Ending: Equatable {
    case code(Int)
    case signal(Int)
  }

  let process: pid_t
  let arguments: [String]
  private let outputPath: String
  private let errorPath: String
  private var ending: Ending?

  /// Waits are bounded by this and by nothing else: a hang is a failure, slowness is not.
  static let watchdogSeconds = 120.0

  /// Starts the executable. Whatever it starts itself inherits `environment`, by which it is found.
  /// An empty `outputPath` closes its standard output.
  ///
  /// - Parameters:
  ///   - inputPath: of its standard input.
  ///   - limits: what `ulimit` is to set, such as "-v 1000000".
  init(
    _ arguments: [String], environment: [String: String], outputPath: String, errorPath: String,
    directory: String, inputPath: String = "/dev/null", limits: String? = nil
  ) throws {
    self.arguments = arguments
    self.outputPath = outputPath
    self.errorPath = errorPath
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    // Tests run on threads that block all signals, and a process inherits that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 0, inputPath, O_RDONLY, 0)
    if outputPath.isEmpty {
      posix_spawn_file_actions_addclose(&actions, 1)
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, outputPath, flags, 0o600)
    }
    posix_spawn_file_actions_addopen(&actions, 2, errorPath, flags, 0o600)
    let binary = try Program.binary()
    let texts = environment.map { "\($0)=\($1)" }
    // There is no portable way to ask posix_spawn for another directory.
    let shell = limits.map { ["/bin/sh", "-c", "ulimit \($0) && exec \"$@\"", "sh"] } ?? []
    let command = shell + ["/usr/bin/env", "-C", directory, binary] + arguments
    var words = command.map { strdup($0) } + [nil]
    var variables = texts.map { strdup($0) } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    var process = pid_t()
    let status = posix_spawn(&process, command[0], &actions, &attributes, &words, &variables)
    guard status == 0 else {
      throw HarnessError("\(binary): \(String(cString: strerror(status)))")
    }
    self.process = process
  }

  /// The executable beside the test bundle, or the one that ATTNMESH_BINARY names.
  static func binary() throws -> String {
    if let named = getenv("ATTNMESH_BINARY") { return String(cString: named) }
    var buffer = [CChar](repeating: 0, count: 4_096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let bundle = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init), as: UTF8.self)
    let directory = bundle.split(separator: "/").dropLast().joined(separator: "/")
    let path = "/\(directory)/attnmesh"
    guard access(path, X_OK) == 0 else {
      throw HarnessError("no executable at \(path): build it, or set ATTNMESH_BINARY")
    }
    return path
  }

  var output: String { text(of: outputPath) }
  var errors: String { text(of: errorPath) }
  var errorLines: [String] { errors.split(separator: "\n").map(String.init) }

  var isRunning: Bool { poll() == nil }

  /// Waits for the end of the process.
  @discardableResult func wait() throws -> Ending {
    try eventually("the end of attnmesh \(arguments.joined(separator: " "))") { poll() }
  }

  func signal(_ number: Int32) { if isRunning { kill(process, number) } }

  private func poll() -> Ending? {
    if let ending { return ending }
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == process else { return nil }
    let signal = status & 0x7F
    ending = signal == 0 ? .code(Int((status >> 8) & 0xFF)) : .signal(Int(signal))
    return ending
  }
}

/// Asks again and again until there is an answer; fails when the watchdog barks.
func eventually<Answer>(_ what: String, _ answer: () throws -> Answer?) throws -> Answer {
  let start = monotonicSeconds()
  while monotonicSeconds() - start < Program.watchdogSeconds {
    if let answer = try answer() { return answer }
    usleep(3_000)
  }
  throw HarnessError("waited in vain for \(what)")
}

func eventually(_ what: String, isTrue: () throws -> Bool) throws {
  try eventually(what) { try isTrue() ? () : nil }
}

func monotonicSeconds() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// The whole of a file; empty when there is none.
func contents(of path: String) -> [UInt8] {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return [] }
  defer { close(file) }
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 18)
  while case let count = read(file, &buffer, buffer.count), count > 0 {
    all += buffer[..<count]
  }
  return all
}

func text(of path: String) -> String { String(decoding: contents(of: path), as: UTF8.self) }
