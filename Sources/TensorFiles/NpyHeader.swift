internal import ElementTypes

/// What the header of a .npy file says: versions 1.0, 2.0 and 3.0.
struct NpyHeader {
  /// Longest header text accepted. numpy's own are about 120 bytes; version 2.0 exists for
  /// structured types with thousands of fields, which hold no tensor.
  static let byteCountMaximum = 64 << 10

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  let element: ElementType
  let shape: [Int]
  /// Byte offset of the first element in the file.
  let dataOffset: Int

  /// Reads the header and checks that the file holds exactly the elements it promises.
  ///
  /// - Throws: `.malformed`, `.unsupported` or `.system`, naming the file.
  init(of file: borrowing RegularFile) throws(TensorFileError) {
    let path = file.path
    let fixed = try file.bytes(at: 0, count: min(12, file.byteCount))
    guard fixed.starts(with: NpyHeader.magic) else {
      throw TensorFileError(
        .malformed, path, "is not a .npy file: it does not begin with the bytes \\x93NUMPY",
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
    guard length <= NpyHeader.byteCountMaximum else {
      throw TensorFileError(
        .malformed, path,
        "its header claims \(length) bytes; at most \(NpyHeader.byteCountMaximum) are read")
    }
    guard lengthEnd + length <= file.byteCount else {
      throw TensorFileError(
        .malformed, path,
        "ends within its header: \(lengthEnd + length) bytes expected, \(file.byteCount) found")
    }
    let text = try file.bytes(at: lengthEnd, count: length)
    var parser = NpyHeaderParser(text, path: path)
    let dictionary = try parser.parse()
    element = try NpyHeader.element(for: dictionary, path: path)
    shape = dictionary.shape
    dataOffset = lengthEnd + length
    try checkLength(of: file)
  }

  /// The element a header describes, or the reason why it is refused.
  private static func element(
    for dictionary: NpyHeaderParser.Dictionary, path: String
  ) throws(TensorFileError) -> ElementType {
    let description = dictionary.description
    guard let element = ElementType.allCases.first(where: { $0.numpyDescription == description })
    else { throw refusal(of: description, path: path) }
    if dictionary.isFortranOrdered {
      throw TensorFileError(
        .unsupported, path, "is in Fortran order",
        advice: "save numpy.ascontiguousarray(array) instead")
    }
    return element
  }

  private static func refusal(of description: String, path: String) -> TensorFileError {
    let shown = printable(description)
    let bytes = Array(description.utf8)
    if description == ">f4" || description == ">f2" {
      return TensorFileError(
        .unsupported, path, "holds big-endian numbers ('\(shown)')",
        advice: "save array.astype('<f\(shown.suffix(1))') instead")
    }
    if bytes.starts(with: "|O".utf8) {
      return TensorFileError(
        .unsupported, path, "holds pickled Python objects ('\(shown)'), which are never loaded",
        advice: "save numpy.asarray(array.tolist(), dtype='<f4') instead")
    }
    if description == "|V2" || description == "<V2" {
      return TensorFileError(
        .unsupported, path, "holds 2-byte elements without a type ('\(shown)')",
        advice: "for bfloat16 use a .safetensors file")
    }
    return TensorFileError(
      .unsupported, path, "holds elements of type '\(shown)'; '<f4' and '<f2' are read",
      advice: "save array.astype('<f4') instead")
  }

  private func checkLength(of file: borrowing RegularFile) throws(TensorFileError) {
    guard let dataBytes = element.byteCount(ofShape: shape) else {
      throw TensorFileError(.malformed, file.path, "its shape is larger than any file can be")
    }
    guard dataBytes > 0 else {
      throw TensorFileError(.unsupported, file.path, "has no elements: a dimension is zero")
    }
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
