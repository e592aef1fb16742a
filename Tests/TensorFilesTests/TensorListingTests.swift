import TensorFiles
import Testing

/// What `attnmesh inspect` shows.
struct TensorListingTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func listing(_ bytes: [UInt8], _ name: String, tensor: String = "") throws
    -> TensorListing
  {
    try TensorListing(TensorLocation.parse(try directory.write(bytes, as: name) + tensor))
  }

  @Test("an array, also of a type that isn't read")
  func npyFiles() throws {
    let plain = try listing(Fixture.version1, "x.npy")
    #expect(plain.format == "npy" && plain.count == 1 && plain.byteCount == 160)
    let item = try plain.item(0, values: 4)
    #expect(item.name == nil && item.type == "float32" && item.shape == [2, 4])
    #expect(item.byteCount == 32 && item.readiness == .yes)
    #expect(item.firstValues == [0, -1.5, 2, 3.25])
    // Stored 0, -1.5, 2, 3.25, …, the first axis fastest.
    let fortran = try listing(Fixture.fortran, "x.npy").item(0, values: 3)
    #expect(fortran.readiness == .convert && fortran.isFortranOrdered)
    #expect(fortran.firstValues == [0, 2, .infinity])
    #expect(try listing(Fixture.float64, "x.npy").item(0, values: 0).type == "float64")
    #expect(try listing(Fixture.bigEndian, "x.npy").item(0, values: 0).type == "big-endian float32")
    let integers = npy(npyHeader(descr: "'<i2'", shape: "(2,)")) + [0xFF, 0xFF, 7, 0]
    let numbers = try listing(integers, "x.npy").item(0, values: 9)
    #expect(numbers.type == "int16" && numbers.readiness == .no && numbers.firstValues == [-1, 7])
    let objects = npy(npyHeader(descr: "'|O'", shape: "(1,)"), data: 8)
    let object = try listing(objects, "x.npy").item(0, values: 9)
    #expect(object.type == "|O" && object.readiness == .no && object.firstValues == [])
    let nothing = try listing(npy(npyHeader(shape: "(0, 4)")), "x.npy").item(0, values: 9)
    #expect(nothing.shape == [0, 4] && nothing.readiness == .no)
    // What such a shape says of strides can't be divided by, and bytes behind it are nobody's.
    for shape in ["(0, 3)", "(4611686018427387904, 4, 0)"] {
      for isFortran in ["True", "False"] {
        let header = npyHeader(order: isFortran, shape: shape)
        #expect(try listing(npy(header), "x.npy").item(0, values: 9).firstValues == [])
        #expect(throws: TensorFileError.self) { try listing(npy(header, data: 16), "x.npy") }
      }
    }
  }

  @Test("every tensor of a file in the order of its bytes, or the one that is named")
  func safetensorsFiles() throws {
    let all = try listing(Fixture.safetensors, "x.safetensors")
    #expect(all.format == "safetensors" && all.count == 3)
    let items = try (0..<3).map { try all.item($0, values: 2) }
    #expect(items.map(\.name) == ["ids", "weights", "h"])
    #expect(items.map(\.type) == ["int64", "float32", "float16"])
    #expect(items.map(\.byteCount) == [16, 16, 4])
    #expect(items.map(\.readiness) == [.no, .yes, .yes])
    #expect(items.map(\.firstValues) == [[1, 2], [0, -1.5], [0, -1.5]])
    let one = try listing(Fixture.safetensors, "x.safetensors", tensor: ":h")
    #expect(one.count == 1)
    #expect(try one.item(0, values: 1).name == "h")
    #expect(throws: TensorFileError.self) {
      try listing(Fixture.safetensors, "x.safetensors", tensor: ":none")
    }
  }
}
