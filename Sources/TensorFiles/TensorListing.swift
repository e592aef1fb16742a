internal import ElementTypes

/// What a .npy or .safetensors file holds, whether attention can be computed of it or not. Items are
/// made one at a time: a file may name millions of tensors.
package final class TensorListing: Sendable {
  /// What has to be done to read a tensor.
  package enum Readiness: String, Sendable {
    case yes
    case convert
    case no
  }

  /// A tensor in the file.
  package struct Item: Sendable {
    /// nil for the only array of a .npy file.
    package let name: String?
    /// As numpy calls it, or as the file does where it is no plain number.
    package let type: String
    package let shape: [Int]
    package let byteCount: Int
    package let isFortranOrdered: Bool
    package let readiness: Readiness
    /// The first numbers in the order of their indices; none where they are no plain numbers.
    package let firstValues: [Double]
  }

  private enum Contents {
    case npy(StoredTensor)
    case safetensors(SafetensorsHeader, [Int])
  }

  /// "npy" or "safetensors".
  package let format: String
  /// Length of the file.
  package let byteCount: Int
  private let file: RegularFile
  private let contents: Contents

  /// Opens a file, or what comes through a pipe. A location with a tensor's name lists that one alone.
  ///
  /// - Throws: as opening a tensor does, but not for types that aren't read.
  package init(
    _ location: TensorLocation, waiting: @escaping (String) -> Void = { _ in }
  ) throws(TensorFileError) {
    let file = try RegularFile(location, waiting: waiting)
    switch try location.resolved(by: file).format {
    case .npy, .piped:
      let header = try NpyHeader(of: file)
      if !header.shape.contains(0) {
        try header.checkLength(of: file)
      } else if file.byteCount != header.dataOffset {
        throw TensorFileError(
          .malformed, file.path, "has no elements, for a dimension is zero, and yet goes on",
          advice: "save it again")
      }
      format = "npy"
      contents = .npy(header.tensor(of: file))
    case .safetensors(let name):
      let header = try SafetensorsHeader(of: file)
      try header.checkLength(of: file)
      format = "safetensors"
      let chosen =
        name == nil ? Array(header.entries.indices) : [try header.index(named: name)]
      contents = .safetensors(header, chosen)
    }
    byteCount = file.byteCount
    self.file = file
  }

  /// Tensors that it lists.
  package var count: Int {
    switch contents {
    case .npy: 1
    case .safetensors(_, let chosen): chosen.count
    }
  }

  /// One of them, in the order of their bytes in the file.
  package func item(_ index: Int, values: Int) throws(TensorFileError) -> Item {
    let tensor: StoredTensor
    switch contents {
    case .npy(let only): tensor = only
    case .safetensors(let header, let chosen):
      tensor = try header.tensor(header.entries[chosen[index]])
    }
    return Item(
      name: tensor.name, type: tensor.type?.name ?? tensor.typeText, shape: tensor.shape,
      byteCount: tensor.byteCount, isFortranOrdered: tensor.isFortranOrdered,
      readiness: readiness(tensor), firstValues: try firstValues(tensor, values))
  }

  private func readiness(_ tensor: StoredTensor) -> Readiness {
    guard let type = tensor.type, type.element != nil, tensor.byteCount > 0,
      !tensor.shape.contains(0)
    else { return .no }
    return type.needsConversion || tensor.isOutOfOrder ? .convert : .yes
  }

  private func firstValues(
    _ tensor: StoredTensor, _ count: Int
  ) throws(TensorFileError) -> [Double] {
    guard let type = tensor.type, !tensor.shape.contains(0) else { return [] }
    let total = tensor.byteCount / type.byteCount
    var values: [Double] = []
    for index in 0..<min(count, total) {
      let place = tensor.isFortranOrdered ? fortranPlace(of: index, in: tensor.shape) : index
      let bytes = try file.bytes(
        at: tensor.dataOffset + place * type.byteCount, count: type.byteCount)
      values.append(type.number(bytes))
    }
    return values
  }

  /// Where an element stands in a file whose first axis runs fastest.
  private func fortranPlace(of index: Int, in shape: [Int]) -> Int {
    var (rest, place) = (index, 0)
    var stride = shape.reduce(1, *)
    for extent in shape.reversed() {
      stride /= extent
      place += rest % extent * stride
      rest /= extent
    }
    return place
  }
}
