/// What the header of a .npy file says: versions 1.0, 2.0 and 3.0.
struct NpyHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// numpy's `descr`, such as "<f4".
  let description: String
  let isFortranOrdered: Bool
  let shape: [Int]
  /// Byte offset of the first element in the file.
  let dataOffset: Int

  /// The numbers it holds; nil for what are none.
  var type: StoredType? { StoredType(numpy: description) }

  /// Reads the header. Whether its type is read, and whether the file holds what it promises, is for
  /// the caller to ask.
  ///
  /// - Throws: `.malformed`, `.unsupported` or `.system`, naming the file.
  init(of file: borrowing RegularFile) throws(TensorFileError) {
    let path = file.path
    let (start, end) = try Self.textRange(of: file)
    guard end <= file.byteCount else {
      throw TensorFileError(
        .malformed, path,
        "ends within its header: \(end) bytes expected, \(file.byteCount) found")
    }
    var parser = NpyHeaderParser(try file.bytes(at: start, count: end - start), path: path)
    let dictionary = try parser.parse()
    description = dictionary.description
    isFortranOrdered = dictionary.isFortranOrdered
    shape = dictionary.shape
    dataOffset = end
  }

  /// Where the header's text stands, by the first bytes of the file.
  static func textRange(
    of file: borrowing RegularFile
  ) throws(TensorFileError) -> (start: Int, end: Int) {
    let path = file.path
    let fixed = try file.bytes(at: 0, count: min(12, file.byteCount))
    guard fixed.starts(with: magic) else {
      throw try ForeignFile.refusal(
        of: file, expected: ".npy",
        otherwise: "is not a .npy file: it does not begin with the bytes \\x93NUMPY",
        advice: "write it with numpy.save")
    }
    // Version 1.0 has a 16-bit length, 2.0 and 3.0 a 32-bit one; 3.0 is UTF-8 where the others
    // are Latin-1, which no tensor's header can tell apart.
    let lengthEnd = fixed.count > 6 && fixed[6] == 1 ? 10 : 12
    guard fixed.count >= lengthEnd else {
      throw TensorFileError(.malformed, path, "ends within its header after \(fixed.count) bytes")
    }
    guard (1...3).contains(fixed[6]) && fixed[7] == 0 else {
      throw TensorFileError(
        .unsupported, path, ".npy version \(fixed[6]).\(fixed[7]) is unknown",
        advice: "versions 1.0, 2.0 and 3.0 are read; save it again with numpy.save")
    }
    let length = fixed[8..<lengthEnd].reversed().reduce(0) { $0 << 8 | Int($1) }
    let maximum = TensorFileLimits.npyHeaderBytesMaximum
    guard length <= maximum else {
      throw TensorFileError(
        .malformed, path,
        "its header claims \(length) bytes; attnmesh reads at most \(maximum)")
    }
    return (lengthEnd, lengthEnd + length)
  }

  /// Bytes of the data, by what the header says; nil where they are no numbers.
  ///
  /// - Throws: `.malformed` for a shape that no file can hold, `.unsupported` for one without elements.
  func dataBytes(path: String) throws(TensorFileError) -> Int? {
    guard let type else { return nil }
    guard let bytes = checkedProduct(shape, times: type.byteCount) else {
      throw TensorFileError(.malformed, path, "its shape is larger than any file can be")
    }
    guard bytes > 0 else {
      throw TensorFileError(.unsupported, path, "has no elements: a dimension is zero")
    }
    return bytes
  }

  /// Checks that the file holds exactly the elements that the header promises.
  func checkLength(of file: borrowing RegularFile) throws(TensorFileError) {
    guard let dataBytes = try dataBytes(path: file.path) else { return }
    let present = file.byteCount - dataOffset
    if present < dataBytes {
      throw TensorFileError(
        .malformed, file.path,
        "is cut short: its header promises \(dataBytes) bytes of data, \(present) are there",
        advice: "copy or save it again")
    }
    if present > dataBytes {
      throw TensorFileError(
        .malformed, file.path,
        "goes on after its data: its header promises \(dataBytes) bytes, \(present) are there",
        advice: "keep one array to a file")
    }
  }
}
