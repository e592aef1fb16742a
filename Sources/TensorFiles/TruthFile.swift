/// An array of truth values: a .npy file of bool or uint8, in which all but 0 is true. It is read at once,
/// and packed.
package struct TruthFile: Sendable {
  /// As the user wrote it.
  package let path: String
  /// "bool" or "uint8".
  package let type: String
  /// Its dimensions, outermost first; every one is positive.
  package let shape: [Int]
  /// Bytes of its data in the file, one for each value.
  package let byteCount: Int
  /// A bit for each value, row-major, every run of the last axis from its own byte on: value i of a run is
  /// bit i % 8, the lowest first, of its byte i / 8.
  package let bits: [UInt8]

  /// - Parameters:
  ///   - bytesMaximum: of its data: more isn't read.
  ///   - waiting: told when nothing comes through a pipe.
  /// - Throws: as `TensorFile`; `.unsupported` for other types, and for more data.
  package init(
    _ location: TensorLocation, bytesMaximum: Int,
    waiting: @escaping (String) -> Void = { _ in }
  ) throws(TensorFileError) {
    let file = try RegularFile(location, waiting: waiting)
    guard case .npy = try location.resolved(by: file).format else {
      throw TensorFileError(
        .unsupported, file.path, "is not a .npy file", advice: "save it with numpy.save")
    }
    let header = try NpyHeader(of: file)
    // numpy writes types of one byte without an order; others may write any.
    switch header.description.drop(while: { "|<>=".contains($0) }) {
    case "b1": type = "bool"
    case "u1": type = "uint8"
    default:
      throw TensorFileError(
        .unsupported, file.path,
        "holds elements of type '\(printable(header.description))'; bool and uint8 are read",
        advice: "save array.astype(bool) instead")
    }
    guard !header.isFortranOrdered || header.shape.count(where: { $0 > 1 }) < 2 else {
      throw TensorFileError(
        .unsupported, file.path, "is in Fortran order",
        advice: "save numpy.ascontiguousarray(array)")
    }
    guard let count = checkedProduct(header.shape, times: 1), count > 0 else {
      throw TensorFileError(
        .unsupported, file.path, "has no elements, or more than any file can have")
    }
    guard count <= bytesMaximum else {
      throw TensorFileError(
        .unsupported, file.path, "has \(count) elements; \(bytesMaximum) are the most")
    }
    let present = file.byteCount - header.dataOffset
    guard present == count else {
      throw TensorFileError(
        .malformed, file.path,
        "its header promises \(count) bytes of data, \(present) are there",
        advice: "copy or save it again")
    }
    path = location.description
    shape = header.shape
    byteCount = count
    bits = try Self.packed(file, at: header.dataOffset, count, runs: shape.last ?? 1)
  }

  /// Packs piece by piece: unpacked it is eight times as large.
  private static func packed(
    _ file: borrowing RegularFile, at start: Int, _ count: Int, runs length: Int
  ) throws(TensorFileError) -> [UInt8] {
    let rowBytes = (length + 7) / 8
    var bits = [UInt8](repeating: 0, count: count / length * rowBytes)
    var done = 0
    while done < count {
      let piece = try file.bytes(at: start + done, count: min(1 << 20, count - done))
      for (index, value) in piece.enumerated() where value != 0 {
        let (run, place) = (done + index).quotientAndRemainder(dividingBy: length)
        bits[run * rowBytes + place / 8] |= 1 << UInt8(place % 8)
      }
      done += piece.count
    }
    return bits
  }
}
