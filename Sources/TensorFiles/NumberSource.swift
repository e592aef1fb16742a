internal import ElementTypes

/// Numbers one after another in a file, read as the elements they become.
struct NumberSource: ~Copyable, Sendable {
  private let file: RegularFile
  private let type: StoredType
  /// Byte offset of the first number in the file.
  let dataOffset: Int

  init(_ file: consuming RegularFile, type: StoredType, dataOffset: Int) {
    self.file = file
    self.type = type
    self.dataOffset = dataOffset
  }

  /// Fills the buffer from a byte offset within the elements. The caller has checked the range.
  func read(
    at byteOffset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TensorFileError) {
    guard type.needsConversion, let element = type.element else {
      return try file.read(at: dataOffset + byteOffset, into: buffer)
    }
    guard byteOffset % element.byteCount == 0, buffer.count % element.byteCount == 0 else {
      throw TensorFileError(.outOfRange, file.path, "a part of an element can't be converted")
    }
    // In pieces: who reads much at once has no memory for it twice.
    let piece = 64 << 10
    let stored = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(piece, buffer.count / element.byteCount) * type.byteCount, alignment: 64)
    defer { stored.deallocate() }
    var done = 0
    while done < buffer.count {
      let count = min(piece, (buffer.count - done) / element.byteCount)
      let bytes = UnsafeMutableRawBufferPointer(rebasing: stored[..<(count * type.byteCount)])
      let first = (byteOffset + done) / element.byteCount
      try file.read(at: dataOffset + first * type.byteCount, into: bytes)
      let end = done + count * element.byteCount
      type.convert(
        UnsafeRawBufferPointer(bytes),
        into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<end]))
      done = end
    }
  }

  /// Finds out whether anybody has changed the file since it was opened. One that was read as a whole
  /// and left for a temporary file may change.
  func checkUnchanged() throws(TensorFileError) { try file.checkUnchanged() }

  /// The same elements with their axes in another order, in a temporary file.
  func reordered(
    _ reordering: AxisReordering, element: ElementType, byteCount: Int
  ) throws(TensorFileError) -> NumberSource {
    guard reordering.isBounded(elementBytes: element.byteCount) else {
      throw TensorFileError(
        .unsupported, file.path,
        "has too many numbers beside each other for its axes to be put in order",
        advice: "save it as [heads, tokens, head_dim]")
    }
    let spool = try Spool(for: file.path)
    try spool.reserve(byteCount: byteCount)
    let size = element.byteCount
    try reordering.run(
      elementBytes: size,
      read: { (offset, buffer) throws(TensorFileError) in
        try read(at: offset * size, into: buffer)
      },
      write: { (offset, bytes) throws(TensorFileError) in
        try spool.write(at: offset * size, bytes: bytes)
      })
    return NumberSource(try spool.contents(), type: StoredType(element), dataOffset: 0)
  }
}
