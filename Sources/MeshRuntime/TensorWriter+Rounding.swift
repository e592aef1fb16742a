internal import ElementTypes
internal import TensorFiles

extension TensorWriter {
  /// Writes float32 elements, rounded where the file's are others.
  ///
  /// - Parameter offset: in bytes of float32.
  func write(at offset: Int, floats bytes: UnsafeRawBufferPointer) throws(TensorFileError) {
    guard element != .float32 else { return try write(at: offset, bytes: bytes) }
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: bytes.count / 4)
    let rounded = UnsafeMutableRawBufferPointer.allocate(
      byteCount: floats.count * element.byteCount, alignment: 64)
    defer {
      floats.deallocate()
      rounded.deallocate()
    }
    UnsafeMutableRawBufferPointer(floats).copyMemory(from: bytes)
    element.encode(UnsafeBufferPointer(floats), into: rounded)
    try write(at: offset / 4 * element.byteCount, bytes: UnsafeRawBufferPointer(rounded))
  }
}
