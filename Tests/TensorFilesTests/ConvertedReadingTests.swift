import ElementTypes
import TensorFiles
import Testing

/// Tensors that aren't stored as attention takes them.
struct ConvertedReadingTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func open(
    _ bytes: [UInt8], converts: Bool = false, swapped: Int? = nil
  ) throws -> TensorFile {
    let path = try directory.write(bytes, as: "x.npy")
    return try TensorFile(
      TensorLocation.parse(path), reading: TensorReading(converts: converts, swappedAxis: swapped))
  }

  private func floats(_ file: TensorFile) throws -> [Float] {
    let bytes = try contents(of: file)
    var floats = [Float](repeating: .nan, count: bytes.count / file.element.byteCount)
    bytes.withUnsafeBytes { bytes in
      floats.withUnsafeMutableBufferPointer { file.element.decode(bytes, into: $0) }
    }
    return floats
  }

  private func npyFile<Word>(
    _ descr: String, _ words: [Word], order: String = "False", shape: [Int]
  ) -> [UInt8] {
    let dimensions = shape.map { "\($0)," }.joined()
    return npy(npyHeader(descr: "'\(descr)'", order: order, shape: "(\(dimensions))"))
      + words.withUnsafeBytes { Array($0) }
  }

  @Test("without being asked, each is refused with the option that reads it")
  func refused() throws {
    let words = [UInt64](repeating: 0, count: 8)
    for (bytes, word) in [
      (npyFile("<f8", words, shape: [2, 4]), "float64"),
      (npyFile(">f4", Array(words[..<4]), shape: [2, 4]), "big-endian"),
      (npyFile("<f4", Array(words[..<4]), order: "True", shape: [2, 4]), "Fortran"),
    ] {
      expectRefusal(try directory.write(bytes, as: "x.npy"), .unsupported, word, "--convert")
    }
    let header = #"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#
    let path = try directory.write(safetensors(header, data: 8), as: "x.safetensors")
    expectRefusal(path, .unsupported, "float64", "--convert", "torch.float32")
    #expect(
      try TensorFile(TensorLocation.parse(path), reading: TensorReading(converts: true)).element
        == .float32)
    // No conversion makes a number of these.
    let integers = try directory.write(npyFile("<i8", [1, 2], shape: [2]), as: "x.npy")
    #expect(throws: TensorFileError.self) {
      try TensorFile(TensorLocation.parse(integers), reading: TensorReading(converts: true))
    }
  }

  @Test("float64 is rounded to the nearest float32, ties to even, and read in any part")
  func double() throws {
    let doubles = [
      0, -1.5, 1.0 + 0x1p-24, 1.0 + 3 * 0x1p-24, 1e300, -.infinity, 0x1p-149, .pi, -0.0, .nan,
    ]
    let file = try open(npyFile("<f8", doubles, shape: [2, 5]), converts: true)
    #expect(file.element == .float32 && file.byteCount == 40)
    let read = try floats(file)
    let expected: [Float] = [
      0, -1.5, 1, 1 + 2 * 0x1p-23, .infinity, -.infinity, 0x1p-149, Float(Double.pi), -0.0,
    ]
    #expect(read.dropLast().map(\.bitPattern) == expected.map(\.bitPattern))
    #expect(read[9].isNaN)
    var part = [UInt8](repeating: 0, count: 4)
    try part.withUnsafeMutableBytes { try file.read(at: 4, into: $0) }
    #expect(part == [0, 0, 0xC0, 0xBF])
    #expect(throws: TensorFileError.self) {
      try part.withUnsafeMutableBytes { try file.read(at: 2, into: $0) }
    }
    let swapped = doubles.map { $0.bitPattern.byteSwapped }
    let big = try floats(try open(npyFile(">f8", swapped, shape: [10]), converts: true))
    #expect(big.map(\.bitPattern) == read.map(\.bitPattern))
  }

  @Test("big-endian float32 and float16 are turned")
  func bigEndian() throws {
    let words = Fixture.values.map { $0.bitPattern.byteSwapped }
    let file = try open(npyFile(">f4", words, shape: [2, 4]), converts: true)
    #expect(try floats(file).map(\.bitPattern) == Fixture.values.map(\.bitPattern))
    let halves: [UInt16] = [0x3C00, 0xBE00, 0x7C00].map { (half: UInt16) in half.byteSwapped }
    let half = try open(npyFile(">f2", halves, shape: [3]), converts: true)
    #expect(half.element == .float16)
    #expect(try floats(half) == [1, -1.5, .infinity])
  }

  @Test("the machine's own order, and Fortran order that makes no difference, need no conversion")
  func sameBytes() throws {
    #expect(try floats(try open(npyFile("=f4", Fixture.values, shape: [8]))) == Fixture.values)
    for shape in [[1, 1, 8], [8], [1, 8, 1], [8, 1, 1], [1, 1, 8, 1]] {
      let file = try open(npyFile("<f4", Fixture.values, order: "True", shape: shape))
      #expect(file.shape == shape)
      #expect(try floats(file) == Fixture.values)
    }
  }

  /// Numbers that tell their index in [a, b, c, d].
  private func numbered(_ shape: [Int]) -> [Float] {
    (0..<shape.reduce(1, *)).map { Float($0) }
  }

  /// The same numbers with their axes in another order.
  private func permuted(_ values: [Float], _ shape: [Int], _ axes: [Int]) -> [Float] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    var result: [Float] = []
    func walk(_ depth: Int, _ place: Int) {
      if depth == axes.count { return result.append(values[place]) }
      for index in 0..<shape[axes[depth]] { walk(depth + 1, place + index * strides[axes[depth]]) }
    }
    walk(0, 0)
    return result
  }

  @Test(
    "Fortran order of any rank is put in order, with a conversion or without",
    arguments: [[2, 3], [3, 5, 7], [2, 3, 50, 4], [1, 1, 3, 2]])
  func fortran(shape: [Int]) throws {
    let values = numbered(shape)
    let stored = permuted(values, shape, shape.indices.reversed())
    let file = try open(npyFile("<f4", stored, order: "True", shape: shape), converts: true)
    #expect(file.shape == shape)
    #expect(try floats(file) == values)
    let doubles = stored.map { Double($0).bitPattern.byteSwapped }
    let big = try open(npyFile(">f8", doubles, order: "True", shape: shape), converts: true)
    #expect(try floats(big) == values)
    let halves = stored.map { UInt16(Float16($0).bitPattern) }
    let half = try open(npyFile("<f2", halves, order: "True", shape: shape), converts: true)
    #expect(try floats(half) == values)
  }

  @Test("[tokens, heads, dim] is read as [heads, tokens, dim], also in Fortran order")
  func tokensFirst() throws {
    let values = numbered([5, 3, 4])
    let expected = permuted(values, [5, 3, 4], [1, 0, 2])
    let file = try open(npyFile("<f4", values, shape: [5, 3, 4]), swapped: 3)
    #expect(file.shape == [3, 5, 4])
    #expect(try floats(file) == expected)
    let batched = try open(npyFile("<f4", values + values, shape: [2, 5, 3, 4]), swapped: 3)
    #expect(batched.shape == [2, 3, 5, 4])
    #expect(try floats(batched) == expected + expected)
    let stored = permuted(values, [5, 3, 4], [2, 1, 0])
    let both = try open(
      npyFile("<f4", stored, order: "True", shape: [5, 3, 4]), converts: true, swapped: 3)
    #expect(try floats(both) == expected)
  }

  @Test("what is written swapped reads back swapped, and as the file has it otherwise")
  func writing() throws {
    let values = numbered([3, 50, 4])
    for name in ["o.npy", "o.safetensors"] {
      let location = try TensorLocation.parse("\(directory.path)/\(name)")
      let writer = try TensorWriter(
        location, element: .float32, shape: [3, 50, 4], swappedAxis: 3)
      // In two parts, the second first.
      try values.withUnsafeBytes { bytes in
        try writer.write(at: 1_000, bytes: UnsafeRawBufferPointer(rebasing: bytes[1_000...]))
        try writer.write(at: 0, bytes: UnsafeRawBufferPointer(rebasing: bytes[..<1_000]))
      }
      try writer.commit()
      let plain = try TensorFile(location)
      #expect(plain.shape == [50, 3, 4])
      #expect(try floats(plain) == permuted(values, [3, 50, 4], [1, 0, 2]))
      #expect(try floats(TensorFile(location, reading: TensorReading(swappedAxis: 3))) == values)
    }
    #expect(directory.names == ["o.npy", "o.safetensors"])
  }
}
