internal import Glibc

/// A path that the user gave for something to be written.
struct OutputTarget {
  let flag: String
  let path: String

  /// Refuses what can't be replaced by a finished file.
  func checkWritable() throws(MeshError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw MeshError(.badInput, "\(flag): an empty path names no file")
    }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw MeshError(.badInput, "\(flag) \(path): it exists and is not a regular file")
    }
    guard access(directory, W_OK | X_OK) == 0 else {
      let reason = String(cString: strerror(errno))
      throw MeshError(
        .badInput, "\(flag) \(path): no file can be created in its directory: \(reason)")
    }
  }

  /// The one that is written last would silently replace the others.
  static func checkDistinct(_ targets: [OutputTarget]) throws(MeshError) {
    for (index, target) in targets.enumerated() {
      for other in targets[..<index] where other.isSame(as: target) {
        throw MeshError(
          .badInput, "\(other.flag) and \(target.flag) are the same file, \(target.path): give two")
      }
    }
  }

  private var directory: String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return String(path[...slash])
  }

  private var name: Substring {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.index(after: $0)...] } ?? path[...]
  }

  /// Whether both name one entry of one directory, however they are spelled.
  private func isSame(as other: OutputTarget) -> Bool {
    var (mine, its) = (stat(), stat())
    guard name == other.name, stat(directory, &mine) == 0, stat(other.directory, &its) == 0 else {
      return false
    }
    return mine.st_dev == its.st_dev && mine.st_ino == its.st_ino
  }
}
