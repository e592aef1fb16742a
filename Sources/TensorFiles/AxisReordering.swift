/// A dense tensor put into another order of its axes, a block of its longest axis at a time: every byte is
/// read and written once, in memory that doesn't grow with the tensor.
struct AxisReordering {
  /// The source's extents, the slowest axis first.
  private let source: [Int]
  /// Which of the source's axes the target's are, the slowest first.
  private let axes: [Int]
  private var target: [Int] { axes.map { source[$0] } }

  init(source: [Int], axes: [Int]) {
    precondition(axes.sorted() == Array(source.indices), "the axes are those of the source")
    self.source = source
    self.axes = axes
  }

  /// Whether the bytes stay as they are: axes of one element may be anywhere.
  var isIdentity: Bool {
    let moved = axes.filter { source[$0] > 1 }
    return zip(moved, moved.dropFirst()).allSatisfy { $0 < $1 }
  }

  /// Elements of the narrowest block that there can be.
  private var narrowest: Int { source.reduce(1, *) / max(1, source.max() ?? 1) }

  /// Whether the memory for a block is within the bounds.
  func isBounded(elementBytes: Int) -> Bool {
    narrowest * elementBytes <= TensorFileLimits.reorderingBytesMaximum / 2
  }

  /// Moves all of it.
  ///
  /// - Parameters:
  ///   - read: fills a buffer from an element offset of the source.
  ///   - write: takes bytes at an element offset of the target.
  func run(
    elementBytes: Int,
    read: (Int, UnsafeMutableRawBufferPointer) throws(TensorFileError) -> Void,
    write: (Int, UnsafeRawBufferPointer) throws(TensorFileError) -> Void
  ) throws(TensorFileError) {
    let longest = source.indices.max { source[$0] < source[$1] } ?? 0
    let step = min(
      source[longest],
      max(1, TensorFileLimits.reorderingBytesMaximum / 2 / (narrowest * elementBytes)))
    let bytes = step * narrowest * elementBytes
    let before = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
    let after = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
    defer {
      before.deallocate()
      after.deallocate()
    }
    for start in stride(from: 0, to: source[longest], by: step) {
      let count = min(step, source[longest] - start)
      try Self.runs(source, axis: longest, start: start, count: count) {
        (offset, place, length) throws(TensorFileError) in
        let range = place * elementBytes..<(place + length) * elementBytes
        try read(offset, UnsafeMutableRawBufferPointer(rebasing: before[range]))
      }
      var block = source
      block[longest] = count
      if elementBytes == 2 {
        permute(block, UnsafeRawBufferPointer(before), after, as: UInt16.self)
      } else {
        permute(block, UnsafeRawBufferPointer(before), after, as: UInt32.self)
      }
      let axis = axes.firstIndex(of: longest) ?? 0
      try Self.runs(target, axis: axis, start: start, count: count) {
        (offset, place, length) throws(TensorFileError) in
        let range = place * elementBytes..<(place + length) * elementBytes
        try write(offset, UnsafeRawBufferPointer(rebasing: after[range]))
      }
    }
  }

  /// The runs of elements that a block of one axis takes in a dense tensor: where each is there, where
  /// it is in the block, and its length.
  private static func runs(
    _ extents: [Int], axis: Int, start: Int, count: Int,
    _ body: (Int, Int, Int) throws(TensorFileError) -> Void
  ) throws(TensorFileError) {
    let outer = extents[..<axis].reduce(1, *)
    let inner = extents[(axis + 1)...].reduce(1, *)
    for index in 0..<outer {
      try body(
        (index * extents[axis] + start) * inner, index * count * inner, count * inner)
    }
  }

  /// Puts a block into the target's order.
  private func permute<Word: BitwiseCopyable>(
    _ block: [Int], _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer,
    as: Word.Type
  ) {
    guard let source = source.baseAddress, let target = target.baseAddress else { return }
    var strides = [Int](repeating: 1, count: block.count)
    for axis in block.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * block[axis + 1]
    }
    let extents = axes.map { block[$0] }
    let steps = axes.map { strides[$0] }
    let (inner, step) = (extents[extents.count - 1], steps[steps.count - 1])
    let size = MemoryLayout<Word>.size
    var index = [Int](repeating: 0, count: extents.count)
    var (base, position) = (0, 0)
    for _ in 0..<block.reduce(1, *) / inner {
      for column in 0..<inner {
        let word = source.loadUnaligned(
          fromByteOffset: (base &+ column &* step) &* size, as: Word.self)
        target.storeBytes(of: word, toByteOffset: (position &+ column) &* size, as: Word.self)
      }
      position += inner
      // The next row of the target.
      for axis in extents.indices.dropLast().reversed() {
        index[axis] += 1
        base += steps[axis]
        if index[axis] < extents[axis] { break }
        base -= steps[axis] * extents[axis]
        index[axis] = 0
      }
    }
  }
}
