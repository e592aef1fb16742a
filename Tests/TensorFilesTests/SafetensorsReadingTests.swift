import ElementTypes
import TensorFiles
import Testing

struct SafetensorsReadingTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func write(_ header: String, data: Int) throws -> String {
    try directory.write(safetensors(header, data: data), as: "x.safetensors")
  }

  private func expectMalformed(
    _ header: String, data: Int = 8, _ word: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let path = try write(header, data: data)
    expectRefusal(
      path, .malformed, path, word.isEmpty ? path : word, sourceLocation: sourceLocation)
  }

  /// One tensor `a`, whose entry holds whatever is given.
  private func entry(
    dtype: String = #""F32""#, shape: String = "[2]", offsets: String = "[0,8]"
  ) -> String {
    #"{"a":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}}"#
  }

  @Test("a file of the safetensors package is read, each tensor by its name")
  func fixture() throws {
    let path = try directory.write(Fixture.safetensors, as: "x.safetensors")
    let weights = try TensorFile(opening: "\(path):weights")
    #expect(weights.element == .float32)
    #expect(weights.shape == [1, 4])
    #expect(weights.dataOffset == 8 + 0xD0 + 16)
    #expect(try contents(of: weights) == hexadecimal("00000000 0000c0bf 00000040 00005040"))
    let half = try TensorFile(opening: "\(path):h")
    #expect(half.element == .float16)
    #expect(try contents(of: half) == hexadecimal("0000 00be"))
    expectRefusal("\(path):ids", .unsupported, "I64", "torch.float32")
    expectRefusal("\(path):none", .location, "'none'", "'ids', 'weights', 'h'")
    expectRefusal(path, .location, "'ids', 'weights', 'h'", "FILE.safetensors:NAME")
  }

  @Test("a path alone is enough where the file holds one tensor, and lists at most eight names")
  func onlyTensor() throws {
    #expect(try TensorFile(opening: try write(entry(), data: 8)).shape == [2])
    let many = (0..<20).map {
      #""t\#($0)":{"dtype":"U8","shape":[1],"data_offsets":[\#($0),\#($0 + 1)]}"#
    }
    let path = try write("{\(many.joined(separator: ","))}", data: 20)
    expectRefusal(path, .location, "'t7' and 12 more")
    expectRefusal(try write("{}", data: 0), .location, "no tensors")
  }

  @Test("every official dtype may stand beside the tensor that is read")
  func dtypes() throws {
    let sizes = [
      ("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8),
      ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8),
      ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32),
      ("F32", 32), ("C64", 64), ("F64", 64), ("I64", 64), ("U64", 64),
    ]
    for (dtype, bits) in sizes {
      let end = 8 + bits
      let header =
        #"{"a":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"#
        + #""b":{"dtype":"\#(dtype)","shape":[8,1],"data_offsets":[8,\#(end)]}}"#
      #expect(try TensorFile(opening: try write(header, data: end) + ":a").element == .bfloat16)
      let readable = ["F16", "BF16", "F32"].contains(dtype)
      if !readable { expectRefusal(try write(header, data: end) + ":b", .unsupported, dtype) }
    }
    try expectMalformed(entry(dtype: #""F128""#), "unknown dtype 'F128'")
    try expectMalformed(entry(dtype: #""f32""#), "unknown dtype")
    try expectMalformed(entry(dtype: #""F4""#, shape: "[3]", offsets: "[0,1]"), data: 1, "shape")
  }

  @Test("empty tensors may stand in a file, and are refused only when asked for")
  func emptyTensors() throws {
    let header =
      #"{"e":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},"#
      + #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
      + #""f":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"#
    let path = try write(header, data: 8)
    #expect(try TensorFile(opening: "\(path):a").shape == [2])
    expectRefusal("\(path):e", .unsupported, "no elements")
    expectRefusal("\(path):f", .unsupported, "no elements")
  }

  @Test("escapes in names are resolved, surrogate pairs included")
  func escapes() throws {
    let header =
      #"{"\u0061\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00é😀":{"dtype":"F32","shape":[2],"#
      + #""data_offsets":[0,8]}}"#
    let path = try write(header, data: 8)
    let name = "a\"\\/\u{8}\u{C}\n\r\té😀é😀"
    #expect(try TensorFile(opening: "\(path):\(name)").shape == [2])
    for wrong in [
      #"\uD83D"#, #"\uDE00"#, #"\uD83Dx"#, #"\uD83D\u0041"#, #"\uD83D\n"#, #"\u12"#, #"\u12G4"#,
      #"\x41"#, "\n", "\u{0}", #"\u"#,
    ] {
      try expectMalformed(
        entry().replacing("\"a\"", with: "\"\(wrong)\""), "string")
    }
    for unfinished in [#"{""#, #"{"a"#, #"{"\"#, #"{"\u00"#] {
      try expectMalformed(unfinished, data: 0, "string")
    }
  }

  @Test("names that differ only in Unicode normalisation are two names")
  func normalisation() throws {
    let composed = "\u{E9}"
    let decomposed = "e\u{301}"
    let header =
      "{\"\(composed)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
      + "\"\(decomposed)\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}"
    let path = try write(header, data: 12)
    #expect(try TensorFile(opening: "\(path):\(composed)").shape == [1])
    #expect(try TensorFile(opening: "\(path):\(decomposed)").shape == [2])
  }

  @Test("overlaps, holes and wrong lengths are refused, in whichever order they are listed")
  func coverage() throws {
    func two(_ first: String, _ second: String) -> String {
      #"{"b":{"dtype":"U8","shape":[4],"data_offsets":\#(second)},"#
        + #""a":{"dtype":"U8","shape":[4],"data_offsets":\#(first)}}"#
    }
    #expect(refusal(try write(two("[0,4]", "[4,8]"), data: 8) + ":a")?.kind == .unsupported)
    try expectMalformed(two("[0,4]", "[3,7]"), "overlaps")
    try expectMalformed(two("[0,4]", "[0,4]"), "overlaps")
    try expectMalformed(two("[0,4]", "[5,9]"), data: 9, "hole")
    try expectMalformed(two("[1,5]", "[5,9]"), data: 9, "hole")
    try expectMalformed(two("[0,4]", "[4,8]"), data: 7, "promises 8 bytes of data, 7 are there")
    try expectMalformed(two("[0,4]", "[4,8]"), data: 9, "promises 8 bytes, 9 are there")
    try expectMalformed(two("[0,4]", "[4,9]"), data: 9, "need 4")
    try expectMalformed(two("[4,0]", "[4,8]"), "before it begins")
    try expectMalformed(entry(offsets: "[0,9223372036854775807]"), "need 8")
    try expectMalformed(entry(offsets: "[0,18446744073709551616]"), "2^63 - 1")
    try expectMalformed(entry(offsets: "[-8,0]"), "negative")
    try expectMalformed("{}", data: 1, "goes on")
  }

  @Test("shapes that overflow, are negative or no whole numbers are refused")
  func shapes() throws {
    try expectMalformed(entry(shape: "[1099511627776,1099511627776]"), "no number of bytes")
    try expectMalformed(entry(shape: "[0,1099511627776,1099511627776]"), "no number of bytes")
    try expectMalformed(entry(shape: "[576460752303423488]"), "no number of bytes")
    try expectMalformed(entry(shape: "[-2]"), "negative")
    try expectMalformed(entry(shape: "[99999999999999999999]"), "2^63 - 1")
    let many = "[" + String(repeating: "1,", count: 70) + "2]"
    try expectMalformed(entry(shape: many), "more than 64 dimensions")
    for shape in ["[2.0]", "[2e0]", "[02]", "[+2]", "[2L]", "[2,]", "[,2]", "[[2]]", "2", "null"] {
      try expectMalformed(entry(shape: shape))
    }
    for offsets in ["[0]", "[]", "[0,8,8]", "[0 8]", "8", #"["0","8"]"#] {
      try expectMalformed(entry(offsets: offsets))
    }
    try expectMalformed(entry(dtype: "32"))
  }

  @Test("duplicate keys are refused at every level, also where escapes hide them")
  func duplicates() throws {
    let tensor = #"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#
    try expectMalformed(#"{"a":\#(tensor),"a":\#(tensor)}"#, "twice")
    try expectMalformed(#"{"a":\#(tensor),"\u0061":\#(tensor)}"#, "twice")
    try expectMalformed(
      #"{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}"#, "twice")
    try expectMalformed(#"{"__metadata__":{},"__metadata__":{},"a":\#(tensor)}"#, "twice")
    try expectMalformed(#"{"__metadata__":{"x":"1","x":"2"},"a":\#(tensor)}"#, "twice")
  }

  @Test("metadata maps strings to strings, and nothing else")
  func metadata() throws {
    let tensor = #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#
    for sound in ["{}", #"{"x":"1","y":"é\n"}"#, " {\n\t\"x\" : \"\" } "] {
      let path = try write(#"{\#(tensor),"__metadata__":\#(sound)}"#, data: 8)
      #expect(try TensorFile(opening: path).shape == [2])
    }
    for wrong in [#"{"x":1}"#, #"{"x":null}"#, #"{"x":{}}"#, "[]", "1", #""x""#, #"{"x"}"#] {
      try expectMalformed(#"{\#(tensor),"__metadata__":\#(wrong)}"#)
    }
  }

  @Test("JSON that is not quite right is refused")
  func grammar() throws {
    let tensor = #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#
    let wrong = [
      "{\(tensor)", "{\(tensor),}", "{,\(tensor)}", "{\(tensor)}}", "{\(tensor)} x",
      "{\(tensor)}\n", "{\(tensor)}\u{0}", " {\(tensor)}", "[\(tensor)]", "{\(tensor)}{}", "",
      #"{"a":{}}"#, #"{"a":[]}"#, #"{"a":null}"#, #"{a:{}}"#, #"{'a':{}}"#, "{//\n\(tensor)}",
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#,
      #"{"a":{"dtype":"F32","shape":[2]}}"#,
      String(repeating: #"{"a":"#, count: 200_000),
      "{\"a\":{\"shape\":" + String(repeating: "[", count: 900_000),
    ]
    for header in wrong { try expectMalformed(header) }
    let padded = "{\n\t\(tensor)\r\n}" + String(repeating: " ", count: 100)
    #expect(try TensorFile(opening: try write(padded, data: 8)).shape == [2])
    let broken = safetensors("{\(tensor)}", data: 8).map { $0 == UInt8(ascii: "a") ? 0xFF : $0 }
    expectRefusal(try directory.write(broken, as: "x.safetensors"), .malformed, "UTF-8")
  }

  @Test("headers and counts beyond the limits are refused by their numbers")
  func limits() throws {
    let claims: [UInt64] = [100_000_001, 1 << 40, 1 << 60, 1 << 63, .max]
    for claim in claims {
      let bytes = withUnsafeBytes(of: claim.littleEndian) { Array($0) } + Array("{}".utf8)
      let path = try directory.write(bytes, as: "x.safetensors", sparseByteCount: 1 << 40)
      expectRefusal(path, .malformed, "\(claim) bytes", "format allows at most 100000000")
    }
    let short = safetensors(entry(), data: 0).dropLast(5)
    expectRefusal(try directory.write(Array(short), as: "x.safetensors"), .malformed, "found")
    expectRefusal(try directory.write([1, 2, 3], as: "x.safetensors"), .malformed, "3 bytes")
    func tensors(_ count: Int) -> String {
      let entries = (0..<count).map {
        #""layer.\#($0).weight":{"dtype":"F16","shape":[1],"#
          + #""data_offsets":[\#($0 * 2),\#($0 * 2 + 2)]}"#
      }
      return "{\(entries.joined(separator: ","))}"
    }
    // Beyond a mebibyte, and more tensors than any model has had: neither is a bound.
    let many = try write(tensors(20_000), data: 40_000)
    #expect(try TensorFile(opening: "\(many):layer.19999.weight").shape == [1])
    expectRefusal("\(many):layer.20000.weight", .location, "19992 more", "attnmesh inspect")
    let padding = String(repeating: "x", count: 3 << 20)
    let long = #"{"__metadata__":{"note":"\#(padding)"},"# + entry().dropFirst()
    #expect(try TensorFile(opening: try write(long, data: 8)).shape == [2])
    let twice = tensors(2_000).dropLast() + "," + tensors(1).dropFirst()
    expectRefusal(try write(String(twice), data: 4_000), .malformed, "'layer.0.weight' twice")
  }
}
