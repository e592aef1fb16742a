internal import CSystem
internal import Glibc

/// What kind of file system something is on.
package enum FileSystem {
  /// Whether files of a directory are kept in memory alone.
  package static func isMemory(_ directory: String) -> Bool {
    var system = statfs()
    // TMPFS_MAGIC and RAMFS_MAGIC.
    return statfs(directory, &system) == 0 && [0x0102_1994, 0x8584_58F6].contains(system.f_type)
  }
}
