/// An array of truth values: a .npy file of bool or uint8, in which all but 0 is true. It is read at once.
package struct TruthFile: Sendable {
  /// As the user wrote it.
  package let path: String
  /// "bool" or "uint8".
  package let type: String
  /// Its dimensions, outermost first; every one is positive.
  package let shape: [Int]
  /// Row-major.
  package let values: [Bool]

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
    values = try file.bytes(at: header.dataOffset, count: count).map { $0 != 0 }
  }
}
