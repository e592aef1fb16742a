package import ElementTypes

/// One tensor in a .npy or .safetensors file, opened, checked and ready to be read by byte ranges.
///
/// The whole header is checked on opening, and the file's length against it. Reads use `pread`, so
/// any number of threads may read at once; a file that is changed meanwhile is refused.
package final class TensorFile: Sendable {
  /// Where the tensor was asked for.
  package let location: TensorLocation
  /// The format of its numbers.
  package let element: ElementType
  /// Its dimensions, outermost first, in C order; every one is positive. `[]` is a single number.
  package let shape: [Int]
  /// Bytes of its data: the product of the shape and the element's bytes.
  package let byteCount: Int
  /// Byte offset of its first element in the file.
  package let dataOffset: Int

  private let file: RegularFile

  /// Which file it is in, and which version of it.
  package var identity: FileIdentity { file.identity }

  /// Opens a tensor and checks its file.
  ///
  /// - Throws: `.location` for a tensor name that is missing or unknown, `.malformed` for a damaged
  ///   file, `.unsupported` for one that is sound but not readable here, `.system` where the
  ///   system refuses.
  package init(_ location: TensorLocation) throws(TensorFileError) {
    let file = try RegularFile(path: location.path)
    switch location.format {
    case .npy:
      let header = try NpyHeader(of: file)
      element = header.element
      shape = header.shape
      byteCount = file.byteCount - header.dataOffset
      dataOffset = header.dataOffset
    case .safetensors(let name):
      let header = try SafetensorsHeader(of: file)
      let entry = try header.entry(named: name, path: location.path)
      guard let element = entry.type.element else {
        throw TensorFileError(
          .unsupported, location.path,
          "tensor '\(printable(entry.name))' is \(entry.type.rawValue); F32, F16 and BF16 are read",
          advice: "save tensor.to(torch.float32) instead")
      }
      guard entry.begin < entry.end else {
        throw TensorFileError(
          .unsupported, location.path,
          "tensor '\(printable(entry.name))' has no elements: a dimension is zero")
      }
      self.element = element
      shape = entry.shape
      byteCount = entry.end - entry.begin
      dataOffset = header.dataOffset + entry.begin
    }
    self.location = location
    self.file = file
  }

  /// Opens a tensor by its location as written on the command line.
  ///
  /// - Throws: as `init(_:)`, and `.location` where the text is no location.
  package convenience init(opening text: String) throws(TensorFileError) {
    try self.init(try TensorLocation.parse(text))
  }

  /// Fills the buffer with the tensor's bytes from a byte offset within its data.
  ///
  /// - Throws: `.outOfRange` where the range leaves the tensor, `.malformed` or `.changed` where the
  ///   file has become shorter or another since it was opened, `.system` where reading fails.
  package func read(
    at byteOffset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TensorFileError) {
    guard byteOffset >= 0, byteOffset <= byteCount, buffer.count <= byteCount - byteOffset else {
      throw TensorFileError(
        .outOfRange, location.path,
        "\(buffer.count) bytes at \(byteOffset) are outside the tensor's \(byteCount)")
    }
    try file.read(at: dataOffset + byteOffset, into: buffer)
  }

  /// Finds out whether all that was read since the tensor was opened is of one version of its file.
  ///
  /// - Throws: `.changed` where it may not be.
  package func checkUnchanged() throws(TensorFileError) { try file.checkUnchanged() }
}
