import Glibc

/// A private directory and the programs of one test. Closing it ends every process of the test,
/// whoever started it, and removes the directory.
final class Scratch {
  let path: String
  /// TMPDIR of all its programs: what they leave behind is found here.
  let temporary: String
  private var programs: [Program] = []
  private var nextFile = 0

  init() throws {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    // Below it lie sockets, whose paths may have 107 bytes.
    var template = Array("\(parent.utf8.count < 40 ? parent : "/tmp")/am-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw HarnessError("mkdtemp: \(errno)") }
    path = template.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) }
    temporary = path + "/tmp"
    mkdir(temporary, 0o700)
  }

  /// Starts `attnmesh` with these arguments, and the file `input` for its standard input.
  func start(
    _ arguments: [String], _ environment: [String: String] = [:], input: String? = nil,
    limits: String? = nil
  ) throws -> Program {
    nextFile += 1
    var variables = ["TMPDIR": temporary, "PATH": "/usr/bin:/bin"]
    variables.merge(environment) { $1 }
    // Where a run's Swift libraries are, if not beside the executable.
    if let libraries = getenv("LD_LIBRARY_PATH") {
      variables["LD_LIBRARY_PATH"] = String(cString: libraries)
    }
    let program = try Program(
      arguments, environment: variables, outputPath: file("out-\(nextFile)"),
      errorPath: file("err-\(nextFile)"), directory: path,
      inputPath: input.map { file($0) } ?? "/dev/null", limits: limits)
    programs.append(program)
    return program
  }

  /// Runs `attnmesh` to its end.
  func run(
    _ arguments: [String], _ environment: [String: String] = [:], input: String? = nil,
    limits: String? = nil
  ) throws -> Program {
    let program = try start(arguments, environment, input: input, limits: limits)
    try program.wait()
    return program
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func exists(_ name: String) -> Bool { access(file(name), F_OK) == 0 }

  /// Names in one of its directories, hidden ones too.
  func names(in directory: String) -> [String] { entries(of: directory) }

  /// Living processes with this test's environment, with their arguments.
  var processes: [(process: pid_t, arguments: [String])] {
    let mark = Array("TMPDIR=\(temporary)".utf8)
    return entries(of: "/proc").compactMap { name in
      guard let process = pid_t(name), process != getpid() else { return nil }
      let environment = contents(of: "/proc/\(name)/environ")
      guard environment.split(separator: 0).contains(where: { $0.elementsEqual(mark) }),
        !isZombie(name)
      else { return nil }
      let line = String(decoding: contents(of: "/proc/\(name)/cmdline"), as: UTF8.self)
      return (process, line.split(separator: "\0").map(String.init))
    }
  }

  /// Processes of this test shown as `attnmesh worker`.
  var workers: [pid_t] {
    processes.filter { $0.arguments.prefix(2).last == "worker" }.map(\.process)
  }

  /// The worker process with this name.
  func worker(named name: String) -> pid_t? {
    processes.first { entry in
      entry.arguments.prefix(2).last == "worker"
        && zip(entry.arguments, entry.arguments.dropFirst()).contains { $0 == ("--name", name) }
    }?.process
  }

  func close() {
    // A worker may be starting while its parent ends: look until nobody is left.
    for _ in 0..<200 {
      let left = processes
      for entry in left { kill(entry.process, SIGKILL) }
      for program in programs { _ = program.isRunning }
      if left.isEmpty { break }
      usleep(5_000)
    }
    remove(path)
  }

  private func isZombie(_ process: String) -> Bool {
    text(of: "/proc/\(process)/stat").contains(") Z ")
  }

  private func remove(_ path: String) {
    for name in entries(of: path) {
      let child = "\(path)/\(name)"
      if unlink(child) != 0 { remove(child) }
    }
    rmdir(path)
  }
}

/// A test's own scratch directory, closed also when the test fails.
func withScratch<Result>(_ body: (Scratch) throws -> Result) throws -> Result {
  let scratch = try Scratch()
  defer { scratch.close() }
  return try body(scratch)
}

private func entries(of directory: String) -> [String] {
  guard let listing = opendir(directory) else { return [] }
  defer { closedir(listing) }
  var names: [String] = []
  while let entry = readdir(listing) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}
