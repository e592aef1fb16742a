package import CheckpointFiles
internal import Glibc

extension CheckpointDirectory {
  /// Opens a directory that the user named.
  package static func open(_ path: String) throws(MeshError) -> CheckpointDirectory {
    let directory: CheckpointDirectory
    do throws(CheckpointError) {
      directory = try CheckpointDirectory(path: path)
    } catch {
      throw refusal(path, "\(error)")
    }
    guard faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0 else {
      throw refusal(path, String(cString: strerror(errno)))
    }
    return directory
  }

  private static func refusal(_ path: String, _ reason: String) -> MeshError {
    MeshError(
      .badInput, "--checkpoints \(path): \(reason); give a directory that can be written")
  }
}
