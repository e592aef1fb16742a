internal import ElementTypes
internal import MeshCore
internal import TensorFiles

extension TensorFile {
  /// Fills the buffer with elements as `type` has them, rounded where the file's are others.
  ///
  /// - Parameter offset: in bytes of `type`.
  /// - Throws: bad input, naming the file.
  func read(
    at offset: Int, as type: ElementType, into target: UnsafeMutableRawBufferPointer
  ) throws(MeshError) {
    do throws(TensorFileError) {
      guard element != type else { return try read(at: offset, into: target) }
      try readRounded(at: offset, as: type, into: target)
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  private func readRounded(
    at offset: Int, as type: ElementType, into target: UnsafeMutableRawBufferPointer
  ) throws(TensorFileError) {
    let count = target.count / type.byteCount
    let source = UnsafeMutableRawBufferPointer.allocate(
      byteCount: count * element.byteCount, alignment: 64)
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    defer {
      source.deallocate()
      floats.deallocate()
    }
    try read(at: offset / type.byteCount * element.byteCount, into: source)
    element.decode(UnsafeRawBufferPointer(source), into: floats)
    type.encode(UnsafeBufferPointer(floats), into: target)
  }
}
