internal import ElementTypes
internal import MeshCore
internal import TensorFiles

extension TensorFile {
  /// What the axes of a tensor are, outermost first, of which a batch may be missing.
  enum Axes {
    /// Q, K, V, O and their gradients.
    case rows
    /// The log-sum-exp and its gradient.
    case statistics

    var names: [String] {
      switch self {
      case .rows: ["batch", "head", "token", "element"]
      case .statistics: ["batch", "head", "token"]
      }
    }
  }

  /// Finds the first NaN or infinity.
  ///
  /// - Parameters:
  ///   - name: of the tensor, as people read it.
  ///   - acceptsNegativeInfinity: of a float32 tensor.
  /// - Throws: bad input, naming tensor, head and token.
  func rejectNonfinite(
    _ name: String, axes: Axes, acceptsNegativeInfinity: Bool = false
  ) throws(MeshError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < byteCount {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<min(buffer.count, byteCount - offset)])
      do throws(TensorFileError) {
        try read(at: offset, into: part)
      } catch {
        throw MeshError(.badInput, error.description)
      }
      let found =
        acceptsNegativeInfinity
        ? part.bindMemory(to: Float.self).firstIndex { $0.isNaN || $0 == .infinity }
        : element.firstNonfinite(in: UnsafeRawBufferPointer(part))
      if let found {
        let what = acceptsNegativeInfinity ? "a NaN or +infinity" : "a NaN or an infinity"
        throw MeshError(
          .badInput,
          "\(location): \(name) holds \(what) at"
            + " \(place(of: offset / element.byteCount + found, axes: axes))")
      }
      offset += part.count
    }
  }

  /// Where an element is, in words: "head 2, token 13, element 5". Of a batch of one nothing is said.
  ///
  /// - Parameter index: in row-major order.
  func place(of index: Int, axes: Axes) -> String {
    var (rest, words) = (index, [String]())
    for (name, size) in zip(axes.names.suffix(shape.count), shape).reversed() {
      if name != "batch" || size > 1 { words.append("\(name) \(rest % size)") }
      rest /= size
    }
    return words.reversed().joined(separator: ", ")
  }
}
