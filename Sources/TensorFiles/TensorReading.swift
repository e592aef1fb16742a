/// How a tensor is read that isn't stored as attention takes it.
package struct TensorReading: Sendable {
  /// Whether float64 is rounded to float32, and big-endian and Fortran-ordered tensors are put in order.
  package var converts: Bool
  /// The axis that is swapped with the one after it, counted from the last, which is 1: 3 reads
  /// [tokens, heads, dim] as [heads, tokens, dim]. nil for none.
  package var swappedAxis: Int?

  package init(converts: Bool = false, swappedAxis: Int? = nil) {
    self.converts = converts
    self.swappedAxis = swappedAxis
  }

  /// A tensor's axes with the two swapped; the same again swaps them back.
  static func axes(rank: Int, swapped: Int?) -> [Int] {
    var axes = Array(0..<rank)
    if let swapped, (2...max(2, rank)).contains(swapped), rank >= 2 {
      axes.swapAt(rank - swapped, rank - swapped + 1)
    }
    return axes
  }

  /// Refuses what would have to be converted where nobody has asked for it, and what can't be.
  ///
  /// - Returns: the type of the numbers.
  func check(_ tensor: StoredTensor, path: String) throws(TensorFileError) -> StoredType {
    guard let type = tensor.type, type.element != nil else { throw tensor.refusal(path: path) }
    if converts { return type }
    if type.byteCount == 8 {
      let name = tensor.name.map { "tensor '\(printable($0))' is" } ?? "holds"
      throw TensorFileError(
        .unsupported, path, "\(name) float64 ('\(tensor.typeText)')",
        advice: "add --convert to round it to float32, or save "
          + (tensor.name == nil ? "array.astype('<f4')" : "tensor.to(torch.float32)"))
    }
    if type.isBigEndian {
      throw TensorFileError(
        .unsupported, path, "holds big-endian numbers ('\(tensor.typeText)')",
        advice: "add --convert, or save array.astype('<f\(type.byteCount)')")
    }
    if tensor.isOutOfOrder {
      throw TensorFileError(
        .unsupported, path, "is in Fortran order",
        advice: "add --convert, or save numpy.ascontiguousarray(array)")
    }
    return type
  }
}
