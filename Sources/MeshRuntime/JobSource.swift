package import MeshCore

/// A job and its tensors, as they are sent to a mesh.
package protocol JobSource {
  var spec: AttentionJob { get }

  /// Reads bytes of a tensor as the job has them.
  func read(
    _ tensor: InputTensor, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(MeshError)

  /// Finds out whether all that was read is of one version of the files.
  ///
  /// - Throws: bad input, naming the file that was changed.
  func checkUnchanged() throws(MeshError)
}

extension JobInputs: JobSource {}
