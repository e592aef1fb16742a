package import CheckpointFiles

extension CheckpointDirectory {
  /// Opens a directory that the user named.
  package static func open(_ path: String) throws(MeshError) -> CheckpointDirectory {
    do throws(CheckpointError) {
      let directory = try CheckpointDirectory(path: path)
      try directory.probe()
      return directory
    } catch {
      throw MeshError(
        .badInput, "--checkpoints \(path): \(error); give a directory that can be written")
    }
  }
}
