/// A tensor as its file has it, before anybody has decided whether and how it is read.
struct StoredTensor {
  /// nil for the only array of a .npy file.
  let name: String?
  /// nil where it is no plain number.
  let type: StoredType?
  /// As the file calls the type: "<f8", "F8_E4M3".
  let typeText: String
  /// In the file's order of axes, outermost first to people.
  let shape: [Int]
  /// The first axis runs fastest, not the last.
  let isFortranOrdered: Bool
  /// Byte offset of its first element in the file.
  let dataOffset: Int
  let byteCount: Int

  /// Whether its bytes are in another order than that of people's indices. It makes no difference
  /// where at most one dimension is larger than one.
  var isOutOfOrder: Bool { isFortranOrdered && shape.count(where: { $0 > 1 }) > 1 }

  /// Why no attention is computed of numbers of this type, whoever converts.
  func refusal(path: String) -> TensorFileError {
    let shown = printable(typeText)
    if let name {
      return TensorFileError(
        .unsupported, path,
        "tensor '\(printable(name))' is \(shown); F32, F16 and BF16 are read",
        advice: "save tensor.to(torch.float32) instead")
    }
    if typeText.utf8.starts(with: "|O".utf8) {
      return TensorFileError(
        .unsupported, path, "holds pickled Python objects ('\(shown)'), which are never loaded",
        advice: "save numpy.asarray(array.tolist(), dtype='<f4') instead")
    }
    if typeText == "|V2" || typeText == "<V2" {
      return TensorFileError(
        .unsupported, path, "holds 2-byte elements without a type ('\(shown)')",
        advice: "for bfloat16 use a .safetensors file")
    }
    return TensorFileError(
      .unsupported, path, "holds elements of type '\(shown)'; '<f4' and '<f2' are read",
      advice: "save array.astype('<f4') instead")
  }
}

extension NpyHeader {
  /// The array, as far as the header tells.
  func tensor(of file: borrowing RegularFile) -> StoredTensor {
    StoredTensor(
      name: nil, type: type, typeText: description, shape: shape,
      isFortranOrdered: isFortranOrdered, dataOffset: dataOffset,
      byteCount: file.byteCount - dataOffset)
  }
}

extension SafetensorsHeader {
  func tensor(_ entry: SafetensorsEntry) throws(TensorFileError) -> StoredTensor {
    StoredTensor(
      name: name(of: entry), type: entry.type.stored, typeText: entry.type.rawValue,
      shape: try shape(of: entry), isFortranOrdered: false, dataOffset: dataOffset + entry.begin,
      byteCount: entry.end - entry.begin)
  }
}
