internal import Foundation
internal import MeshRuntime

/// The guard of a run: a process that waits until the one that started it is done or dead, and clears
/// away what is left.
package enum RunGuard {
  /// Waits at the lifeline, then ends every other process of its group and removes the directory.
  package static func run(directory: String) {
    // Only the end of its parent ends it.
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { signal(number, SIG_IGN) }
    var byte: UInt8 = 0
    while read(lifelineDescriptor, &byte, 1) < 0, errno == EINTR {}
    // One may be starting another.
    while case let others = othersOfGroup(), !others.isEmpty {
      for process in others { kill(process, SIGKILL) }
      usleep(1_000)
    }
    unmount(below: directory)
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Living processes of this process's group.
  private static func othersOfGroup() -> [pid_t] {
    let group = getpgrp()
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { process in
      guard process != getpid() else { return false }
      // The name in parentheses may hold anything; then: state, parent, group.
      let fields = contents(ofFile: "/proc/\(process)/stat").split(separator: ")").last?
        .split(separator: " ")
      guard let fields, fields.count > 2, fields[0] != "Z", fields[0] != "X" else { return false }
      return fields[2] == "\(group)"
    }
  }

  private static func unmount(below directory: String) {
    for line in contents(ofFile: "/proc/self/mounts").split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 1, fields[1].hasPrefix(directory + "/") else { continue }
      umount2(String(fields[1]), Int32(MNT_DETACH))
    }
  }
}
