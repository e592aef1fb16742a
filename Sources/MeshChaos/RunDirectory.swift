internal import Foundation
package import MeshRuntime

/// A private directory, and the processes that work in it. However this process ends, also by -9, a
/// guard sees a pipe close, ends all processes of the run and removes the directory.
package final class RunDirectory {
  package let path: String
  private let executable: String
  private let sentry: ChaosProcess
  private var lifeline: Int32?

  /// - Parameter executable: `attnmesh` itself; what starts processes here, and guards them.
  package init(executable: String) throws(MeshError) {
    self.executable = executable
    let parent = FileManager.default.temporaryDirectory.path
    var template = Array("\(parent)/attnmesh-chaos-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw MeshError(
        .badInput, "\(parent): \(String(cString: strerror(errno))); set TMPDIR to a directory")
    }
    path = template.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) }
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0, "no pipe: \(errno)")
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    do throws(MeshError) {
      // Leader of the group that all processes of the run join: Ctrl-C at a terminal is for the
      // parent alone, and the group's number is not given away while its leader lives.
      sentry = try ChaosProcess(
        name: "guard", executable: executable, arguments: ["chaos", "--guard", path],
        environment: ProcessInfo.processInfo.environment, logPath: path + "/guard.log", group: 0,
        lifeline: ends[0])
    } catch {
      close(ends[1])
      rmdir(path)
      throw error
    }
    lifeline = ends[1]
  }

  deinit { remove() }

  /// Starts `attnmesh` with these arguments, in this directory's group. Its log is NAME.log here.
  package func start(
    name: String, arguments: [String], environment: [String: String]
  ) throws(MeshError) -> ChaosProcess {
    var variables = ProcessInfo.processInfo.environment
    // What it would leave behind is left here.
    variables["TMPDIR"] = path
    // Ours are for us.
    for name in ["ATTNMESH_COORDINATOR", "ATTNMESH_LISTEN", "ATTNMESH_STORE"] {
      variables[name] = nil
    }
    variables.merge(environment) { $1 }
    return try ChaosProcess(
      name: name, executable: executable, arguments: arguments, environment: variables,
      logPath: "\(path)/\(name).log", group: sentry.process)
  }

  /// A new directory in this one.
  package func makeDirectory(_ name: String) throws(MeshError) -> String {
    let directory = "\(path)/\(name)"
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw MeshError(.jobFailed, "\(directory): \(String(cString: strerror(errno)))")
    }
    return directory
  }

  /// Mounts a file system of so many bytes: a disk that can be full. Takes root.
  package func mountDisk(_ name: String, bytes: Int) throws(MeshError) -> String {
    let directory = try makeDirectory(name)
    guard mount("tmpfs", directory, "tmpfs", 0, "size=\(bytes)") == 0 else {
      throw MeshError(.jobFailed, "mount \(directory): \(String(cString: strerror(errno)))")
    }
    return directory
  }

  /// Ends all processes of the run and removes the directory: by the guard, as ever.
  package func remove() {
    guard let end = lifeline else { return }
    lifeline = nil
    close(end)
    sentry.wait()
  }
}
