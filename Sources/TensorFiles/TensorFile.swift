package import ElementTypes

/// One tensor in a .npy or .safetensors file, opened, checked and ready to be read by byte ranges, in the
/// one form that attention takes: little-endian numbers of an element type, the last axis fastest.
///
/// The whole header is checked on opening, and the file's length against it. Reads use `pread`, so
/// any number of threads may read at once; a file that is changed meanwhile is refused.
package final class TensorFile: Sendable {
  /// Where the tensor was asked for.
  package let location: TensorLocation
  /// The format of its numbers, as they are read.
  package let element: ElementType
  /// Its dimensions, outermost first, in C order; every one is positive. `[]` is a single number.
  package let shape: [Int]
  /// Bytes of its data: the product of the shape and the element's bytes.
  package let byteCount: Int
  /// Byte offset of its first element in the file that is read.
  package let dataOffset: Int

  private let source: NumberSource

  /// Which file it was opened in, and which version of it.
  package let identity: FileIdentity

  /// Opens a tensor and checks its file. Whatever isn't in the form that attention takes becomes it
  /// here, and nowhere else: numbers are converted as they are read, and axes in another order, like
  /// all that comes through a pipe, go through a temporary file.
  ///
  /// - Parameter waiting: told when nothing comes through a pipe.
  /// - Throws: `.location` for a tensor name that is missing or unknown, `.malformed` for a damaged
  ///   file, `.unsupported` for one that is sound but not readable here, `.system` where the
  ///   system refuses.
  package init(
    _ location: TensorLocation, reading: TensorReading = TensorReading(),
    waiting: @escaping (String) -> Void = { _ in }
  ) throws(TensorFileError) {
    let file = try RegularFile(location, waiting: waiting)
    let tensor = try Self.find(location, in: file, reading)
    let type = try reading.check(tensor, path: file.path)
    guard let element = type.element else { throw tensor.refusal(path: file.path) }
    let rank = tensor.shape.count
    let axes = TensorReading.axes(rank: rank, swapped: reading.swappedAxis)
    shape = axes.map { tensor.shape[$0] }
    let reordering = AxisReordering(
      source: tensor.isFortranOrdered ? tensor.shape.reversed() : tensor.shape,
      axes: tensor.isFortranOrdered ? axes.map { rank - 1 - $0 } : axes)
    identity = file.identity
    let source = NumberSource(file, type: type, dataOffset: tensor.dataOffset)
    byteCount = tensor.byteCount / type.byteCount * element.byteCount
    if reordering.isIdentity {
      self.source = source
    } else {
      self.source = try source.reordered(reordering, element: element, byteCount: byteCount)
    }
    self.element = element
    dataOffset = self.source.dataOffset
    self.location = location
  }

  /// Opens a tensor by its location as written on the command line.
  ///
  /// - Throws: as `init(_:)`, and `.location` where the text is no location.
  package convenience init(opening text: String) throws(TensorFileError) {
    try self.init(try TensorLocation.parse(text))
  }

  private static func find(
    _ location: TensorLocation, in file: borrowing RegularFile, _ reading: TensorReading
  ) throws(TensorFileError) -> StoredTensor {
    switch try location.resolved(by: file).format {
    case .npy, .piped:
      let header = try NpyHeader(of: file)
      let tensor = header.tensor(of: file)
      // Of the wrong type it may have any length.
      _ = try reading.check(tensor, path: file.path)
      try header.checkLength(of: file)
      return tensor
    case .safetensors(let name):
      let header = try SafetensorsHeader(of: file)
      try header.checkLength(of: file)
      let entry = try header.entry(named: name)
      let tensor = try header.tensor(entry)
      _ = try reading.check(tensor, path: file.path)
      guard tensor.byteCount > 0 else {
        throw TensorFileError(
          .unsupported, file.path,
          "tensor '\(printable(tensor.name ?? ""))' has no elements: a dimension is zero")
      }
      return tensor
    }
  }

  /// Fills the buffer with the tensor's bytes from a byte offset within its data.
  ///
  /// - Throws: `.outOfRange` where the range leaves the tensor or halves an element that is converted,
  ///   `.malformed` or `.changed` where the file has become shorter or another since it was opened,
  ///   `.system` where reading fails.
  package func read(
    at byteOffset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TensorFileError) {
    guard byteOffset >= 0, byteOffset <= byteCount, buffer.count <= byteCount - byteOffset else {
      throw TensorFileError(
        .outOfRange, location.path,
        "\(buffer.count) bytes at \(byteOffset) are outside the tensor's \(byteCount)")
    }
    try source.read(at: byteOffset, into: buffer)
  }

  /// Finds out whether all that was read since the tensor was opened is of one version of its file.
  ///
  /// - Throws: `.changed` where it may not be.
  package func checkUnchanged() throws(TensorFileError) { try source.checkUnchanged() }
}
