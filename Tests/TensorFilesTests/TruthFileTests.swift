import TensorFiles
import Testing

/// Arrays of truth values.
@Suite struct TruthFileTests {
  private func file(
    _ type: String, _ shape: String, _ data: [UInt8], order: String = "False"
  ) -> [UInt8] {
    var text = Array("{'descr': '\(type)', 'fortran_order': \(order), 'shape': \(shape), }".utf8)
    text += [UInt8](repeating: 32, count: (64 - (text.count + 11) % 64) % 64) + [10]
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.count), 0] + text + data
  }

  private func read(
    _ bytes: [UInt8], name: String = "m.npy", maximum: Int = 8
  ) throws -> TruthFile {
    let directory = try TemporaryDirectory()
    return try TruthFile(
      TensorLocation.parse(try directory.write(bytes, as: name)), bytesMaximum: maximum)
  }

  @Test("bool and uint8 are read, and all but 0 is true", arguments: ["|b1", "|u1", "<u1", "b1"])
  func types(type: String) throws {
    let found = try read(file(type, "(2, 3)", [0, 1, 0, 255, 2, 0]))
    #expect(found.shape == [2, 3] && found.byteCount == 6)
    #expect(found.bits == [0b010, 0b011])
    #expect(found.type == (type.hasSuffix("b1") ? "bool" : "uint8"))
  }

  @Test("a run of more than eight goes on in the next byte")
  func longRuns() throws {
    let data: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]
    #expect(try read(file("|u1", "(1, 11)", data), maximum: 11).bits == [0b1000_0001, 0b110])
  }

  static let refused: [(String, String, [UInt8], String, String)] = [
    ("<f4", "(1,)", [0, 0, 0, 0], "False", "'<f4'; bool and uint8 are read"),
    ("|i1", "(1,)", [0], "False", "'|i1'; bool and uint8 are read"),
    ("|u1", "(2, 2)", [0, 0, 0, 0], "True", "is in Fortran order"),
    ("|u1", "(2, 2)", [0, 0, 0], "False", "promises 4 bytes of data, 3 are there"),
    ("|u1", "(2, 2)", [0, 0, 0, 0, 0], "False", "promises 4 bytes of data, 5 are there"),
    ("|u1", "(3, 3)", [UInt8](repeating: 0, count: 9), "False", "has 9 elements; 8 are the most"),
    ("|u1", "(0, 3)", [], "False", "has no elements"),
    ("|u1", "(9223372036854775807, 3)", [], "False", "more than any file can have"),
  ]

  @Test("what isn't one is refused", arguments: refused)
  func refuses(type: String, shape: String, data: [UInt8], order: String, says: String) throws {
    let error = #expect(throws: TensorFileError.self) {
      try read(file(type, shape, data, order: order))
    }
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
  }

  @Test("a safetensors file isn't one")
  func otherFormat() {
    #expect(throws: TensorFileError.self) { try read([1, 2, 3], name: "m.safetensors") }
  }
}
