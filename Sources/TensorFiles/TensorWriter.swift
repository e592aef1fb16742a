package import ElementTypes

/// Writes one tensor to a .npy or .safetensors file, which appears under its name only when
/// `commit` has made it whole. Dropping the writer leaves nothing behind.
///
/// Writes use `pwrite`, so any number of threads may write disjoint ranges at once.
package struct TensorWriter: ~Copyable, Sendable {
  /// Where the tensor goes. A symbolic link there is followed.
  package let location: TensorLocation
  /// The format of its numbers.
  package let element: ElementType
  /// Its dimensions, outermost first, in C order.
  package let shape: [Int]
  /// Bytes of its data: the product of the shape and the element's bytes.
  package let byteCount: Int
  /// Byte offset of its first element in the file; a multiple of 64.
  package let dataOffset: Int

  private let file: OutputFile
  /// What is written in another order of axes than the file's waits here until it is whole.
  private let spool: Spool?
  private let reordering: AxisReordering

  /// Creates the file without a name, reserves its space and writes its header. Bytes that are
  /// never written are zero. `named` does at once what is otherwise done only where a file system
  /// has no unnamed files: it writes under a hidden name.
  ///
  /// - Parameters:
  ///   - shape: of what is written.
  ///   - swappedAxis: the axis that the file has swapped with the one after it, counted from the last,
  ///     which is 1.
  /// - Throws: `.unsupported` for bfloat16 in a .npy file, a shape without elements or a target
  ///   that is not a regular file; `.system` where the directory cannot be written or the space is
  ///   not there (ENOSPC).
  package init(
    _ location: TensorLocation, element: ElementType, shape: [Int], swappedAxis: Int? = nil,
    named: Bool = false
  ) throws(TensorFileError) {
    let path = location.path
    let axes = TensorReading.axes(rank: shape.count, swapped: swappedAxis)
    guard shape.count <= TensorFileLimits.rankMaximum,
      let byteCount = element.byteCount(ofShape: shape),
      byteCount > 0
    else {
      throw TensorFileError(.unsupported, path, "no file holds a tensor of shape \(shape)")
    }
    let header = try TensorWriter.header(
      location, element: element, shape: axes.map { shape[$0] }, byteCount: byteCount)
    let (total, overflow) = byteCount.addingReportingOverflow(header.count)
    if overflow {
      throw TensorFileError(.unsupported, path, "no file holds a tensor of shape \(shape)")
    }
    let file = try OutputFile(path: path, named: named)
    try file.reserve(byteCount: total)
    try file.write(at: 0, header)
    let reordering = AxisReordering(source: shape, axes: axes)
    let spool = try reordering.isIdentity ? nil : TensorWriter.spool(path, byteCount: byteCount)
    self.location = location
    self.element = element
    self.shape = shape
    self.byteCount = byteCount
    self.dataOffset = header.count
    self.file = file
    self.spool = spool
    self.reordering = reordering
  }

  private static func spool(
    _ path: String, byteCount: Int
  ) throws(TensorFileError) -> Spool? {
    let spool = try Spool(for: path)
    try spool.reserve(byteCount: byteCount)
    return consume spool
  }

  /// Writes bytes at a byte offset within the tensor's data.
  ///
  /// - Throws: `.outOfRange` where the range leaves the tensor; `.system` where writing fails
  ///   (ENOSPC, EIO).
  package func write(
    at byteOffset: Int, bytes: UnsafeRawBufferPointer
  ) throws(TensorFileError) {
    guard byteOffset >= 0, byteOffset <= byteCount, bytes.count <= byteCount - byteOffset else {
      throw TensorFileError(
        .outOfRange, location.path,
        "\(bytes.count) bytes at \(byteOffset) are outside the tensor's \(byteCount)")
    }
    switch spool {
    case .some(let spool): try spool.write(at: byteOffset, bytes: bytes)
    case .none: try file.write(at: dataOffset + byteOffset, bytes: bytes)
    }
  }

  /// Flushes the contents to disk and puts the file in its place by a rename, replacing what was
  /// there. After an error the writer is gone and the old file is still there.
  ///
  /// - Throws: `.system` where flushing, linking or renaming fails.
  package consuming func commit() throws(TensorFileError) {
    try putInOrder()
    try file.commit()
  }

  /// Moves what waits for it into the file, in the file's order of axes.
  private func putInOrder() throws(TensorFileError) {
    switch spool {
    case .none: return
    case .some(let spool):
      let contents = try spool.contents()
      let size = element.byteCount
      try reordering.run(
        elementBytes: size,
        read: { (offset, buffer) throws(TensorFileError) in
          try contents.read(at: offset * size, into: buffer)
        },
        write: { (offset, bytes) throws(TensorFileError) in
          try file.write(at: dataOffset + offset * size, bytes: bytes)
        })
    }
  }

  /// Checks before long work that an output can be written: the name is of a known format that
  /// stores the element, its directory takes files, and no directory has the name.
  ///
  /// - Throws: `.location`, `.unsupported` or `.system`, as parsing and `init` would.
  package static func checkWritable(
    _ text: String, element: ElementType = .float32
  ) throws(TensorFileError) {
    let location = try TensorLocation.parse(text)
    _ = try header(location, element: element, shape: [1], byteCount: element.byteCount)
    // Permissions say less than the attempt: think of read-only mounts, quotas and /proc.
    _ = try OutputFile(path: location.path)
  }

  /// Directories in which an output takes space: its own, and that of temporary files where it waits
  /// there for its order of axes.
  ///
  /// - Parameter swappedAxis: as for `init`.
  package static func directories(
    of text: String, swappedAxis: Int?
  ) throws(TensorFileError) -> [String] {
    let path = try OutputFile.destination(of: TensorLocation.parse(text).path)
    return [OutputFile.split(path).directory] + (swappedAxis == nil ? [] : [Spool.directory])
  }

  private static func header(
    _ location: TensorLocation, element: ElementType, shape: [Int], byteCount: Int
  ) throws(TensorFileError) -> [UInt8] {
    switch location.format {
    case .npy:
      guard let description = element.numpyDescription else {
        throw TensorFileError(
          .unsupported, location.path, ".npy has no \(element.name)",
          advice: "use a path ending in .safetensors, or another output dtype")
      }
      return NpyHeader.bytes(description: description, shape: shape)
    case .piped:
      throw TensorFileError(
        .location, location.fileName, "an output can't go through a pipe",
        advice: "use a path ending in .npy, or FILE.safetensors:NAME")
    case .safetensors(let name):
      let name = name ?? "tensor"
      guard !name.utf8.elementsEqual("__metadata__".utf8),
        name.utf8.count <= TensorFileLimits.tensorNameBytesMaximum
      else {
        throw TensorFileError(
          .location, location.path, "'\(printable(name))' cannot be the name of a tensor")
      }
      return SafetensorsHeader.bytes(
        name: name, element: element, shape: shape, byteCount: byteCount)
    }
  }
}
