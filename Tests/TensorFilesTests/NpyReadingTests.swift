import ElementTypes
import TensorFiles
import Testing

struct NpyReadingTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func opened(_ header: String, data: Int) throws -> TensorFile {
    try TensorFile(opening: try directory.write(npy(header, data: data), as: "x.npy"))
  }

  private func expectMalformed(
    _ header: String, data: Int = 24, _ word: String = "header",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let path = try directory.write(npy(header, data: data), as: "x.npy")
    expectRefusal(path, .malformed, word, path, sourceLocation: sourceLocation)
  }

  @Test("numpy's versions 1.0, 2.0 and 3.0 are read")
  func versions() throws {
    for fixture in [Fixture.version1, Fixture.version2, Fixture.version3] {
      let file = try TensorFile(opening: try directory.write(fixture, as: "x.npy"))
      #expect(file.element == .float32)
      #expect(file.shape == [2, 4])
      #expect(file.byteCount == 32)
      #expect(file.dataOffset == 128)
      let bytes = try contents(of: file)
      var floats = [Float](repeating: 7, count: 8)
      bytes.withUnsafeBytes { bytes in
        floats.withUnsafeMutableBufferPointer { file.element.decode(bytes, into: $0) }
      }
      #expect(floats.map(\.bitPattern) == Fixture.values.map(\.bitPattern))
    }
  }

  @Test("float16 files and scalars of numpy are read")
  func halfAndScalar() throws {
    let half = try TensorFile(opening: try directory.write(Fixture.half, as: "h.npy"))
    #expect(half.element == .float16)
    #expect(half.shape == [2, 4])
    #expect(half.byteCount == 16)
    #expect(try contents(of: half) == Array(Fixture.half.suffix(16)))
    let scalar = try TensorFile(opening: try directory.write(Fixture.scalar, as: "s.npy"))
    #expect(scalar.shape == [])
    #expect(scalar.byteCount == 4)
  }

  @Test("a range is read from its byte offset, and a range outside is refused")
  func ranges() throws {
    let file = try TensorFile(opening: try directory.write(Fixture.version1, as: "x.npy"))
    var bytes = [UInt8](repeating: 0, count: 8)
    try bytes.withUnsafeMutableBytes { try file.read(at: 24, into: $0) }
    #expect(bytes == Array(Fixture.version1.suffix(8)))
    for offset in [25, 33, -1, Int.max, Int.min] {
      #expect(throws: TensorFileError.self) {
        try bytes.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
      }
    }
  }

  @Test("keys come in any order, quotes, white space and with long integers")
  func spellings() throws {
    let spellings = [
      "{'shape':(2,3),'fortran_order':False,'descr':'<f4'}",
      "{\"shape\": (2L, 3L), \"descr\": \"<f4\", \"fortran_order\": False}   \n",
      " {\t'descr' :\n'<f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , } \r\n",
    ]
    for spelling in spellings {
      #expect(try opened(spelling, data: 24).shape == [2, 3])
    }
    #expect(try opened(npyHeader(shape: "(6,)"), data: 24).shape == [6])
  }

  @Test("what numpy writes and we do not read is refused by name, with the way out")
  func refusedByName() throws {
    let cases: [(bytes: [UInt8], words: (String, String))] = [
      (Fixture.fortran, ("Fortran order", "numpy.ascontiguousarray")),
      (Fixture.bigEndian, ("big-endian", "astype('<f4')")),
      (Fixture.float64, ("'<f8'", "astype('<f4')")),
      (Fixture.structured, ("structured", "astype('<f4')")),
      (npy(npyHeader(descr: "'|O'", shape: "(1,)"), data: 8), ("pickled", "numpy.asarray")),
      (npy(npyHeader(descr: "'<i8'", shape: "(1,)"), data: 8), ("'<i8'", "astype('<f4')")),
      (npy(npyHeader(descr: "'|V2'", shape: "(1,)"), data: 2), ("bfloat16", ".safetensors")),
      (npy(npyHeader(descr: "'>f2'", shape: "(1,)"), data: 2), ("big-endian", "astype('<f2')")),
      (npy(npyHeader(shape: "(2, 0, 3)")), ("no elements", "zero")),
      (npy(npyHeader(shape: "(1,)"), version: 4, data: 4), ("version 4.0", "numpy.save")),
    ]
    for (bytes, words) in cases {
      let path = try directory.write(bytes, as: "x.npy")
      expectRefusal(path, .unsupported, path, words.0, words.1)
    }
  }

  @Test("a file shorter or longer than its header says is refused with both numbers")
  func lengths() throws {
    let short = try directory.write(Array(Fixture.version1.dropLast()), as: "short.npy")
    expectRefusal(short, .malformed, "cut short", "32 bytes", "31 are there")
    let long = try directory.write(Fixture.version1 + [0], as: "long.npy")
    expectRefusal(long, .malformed, "goes on", "32 bytes", "33 are there")
    let header = try directory.write(Array(Fixture.version1.prefix(100)), as: "header.npy")
    expectRefusal(header, .malformed, "128 bytes expected", "100 found")
  }

  @Test("shapes that are negative, overflowing or no tuple of whole numbers are refused")
  func shapes() throws {
    try expectMalformed(npyHeader(shape: "(-2, -3)"), "negative")
    try expectMalformed(npyHeader(shape: "(1099511627776, 1099511627776)"), "larger than any file")
    try expectMalformed(npyHeader(shape: "(0, 9223372036854775807, 3)"), "larger than any file")
    try expectMalformed(npyHeader(shape: "(9223372036854775807,)"), "larger than any file")
    try expectMalformed(npyHeader(shape: "(2305843009213693951,)"), "promises 9223372036854775804")
    try expectMalformed(npyHeader(shape: "(9223372036854775808,)"), "2^63 - 1")
    let bomb = "(" + String(repeating: "9", count: 5000) + ",)"
    try expectMalformed(npyHeader(shape: bomb), "2^63 - 1")
    let deep = "(" + String(repeating: "1,", count: 30_000) + ")"
    try expectMalformed(npyHeader(shape: deep), "dimensions")
    let wrong = [
      "(6)", "6", "[6]", "(6,", "(,)", "(2,,3)", "(2 3)", "(2.0, 3)", "(0x6,)", "(1_0,)",
      "(06,)", "(+6,)", "(6LL,)", "(6l,)", "(True,)", "((6,),)", "(6,)(", "None", "",
    ]
    for shape in wrong { try expectMalformed(npyHeader(shape: shape)) }
  }

  @Test("dictionaries that are not quite right are refused")
  func dictionaries() throws {
    let wrong = [
      "", "\n", "{", "{}", "}", "[]", "None", "{'descr': '<f4'}",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}",
      "{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (6,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}{}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'more': 1}",
      "{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}",
      "{,'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '<f4',, 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '<f4\", 'fortran_order': False, 'shape': (6,)}",
      "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (6,)}",
      "{'descr': <f4, 'fortran_order': False, 'shape': (6,)}",
      "{descr: '<f4', 'fortran_order': False, 'shape': (6,)}",
    ]
    for header in wrong { try expectMalformed(header) }
    try expectMalformed(String(repeating: "{", count: 60_000))
  }

  @Test("a header longer than 64 KiB is refused by its number")
  func headerBomb() throws {
    let header = npyHeader(shape: "(6,)") + String(repeating: " ", count: 64 << 10)
    let path = try directory.write(npy(header, version: 2, data: 24), as: "x.npy")
    expectRefusal(path, .malformed, "at most 65536")
    let claim = npy("", version: 2).prefix(8) + [255, 255, 255, 255]
    try directory.write(Array(claim), as: "x.npy", sparseByteCount: 1 << 40)
    expectRefusal(path, .malformed, "4294967295 bytes")
  }

  @Test("names from a file cannot break or reorder the line that reports them")
  func printableNames() throws {
    let path = try directory.write(
      npy(npyHeader(descr: "'\u{202E}\u{9B}x'", shape: "(6,)"), data: 24), as: "a\nb.npy")
    let line = try #require(refusal(path)).description
    #expect(!line.unicodeScalars.contains { $0 == "\n" || $0 == "\u{202E}" || $0 == "\u{9B}" })
    #expect(line.contains("\\u{202e}"))
  }
}
