/// Files written by numpy 2.4.6 (`numpy.lib.format.write_array`) and safetensors 0.8.0.
enum Fixture {
  /// [[0, -1.5, 2, 3.25], [inf, 1e-45, -0.0, 65504]] as `<f4`.
  static let values: [Float] = [0, -1.5, 2, 3.25, .infinity, .leastNonzeroMagnitude, -0.0, 65504]

  private static let bytes32 = hexadecimal(
    "00000000 0000c0bf 00000040 00005040 0000807f 01000000 00000080 00e07f47")

  static let version1 =
    hexadecimal("934e554d5059 0100 7600") + header(f: "<f4", spaces: 58) + bytes32
  static let version2 =
    hexadecimal("934e554d5059 0200 74000000") + header(f: "<f4", spaces: 56) + bytes32
  static let version3 =
    hexadecimal("934e554d5059 0300 74000000") + header(f: "<f4", spaces: 56) + bytes32
  /// The same as `<f2`: 1e-45 is 0 there.
  static let half =
    hexadecimal("934e554d5059 0100 7600") + header(f: "<f2", spaces: 58)
    + hexadecimal("0000 00be 0040 8042 007c 0000 0080 ff7b")

  /// The same, of a Fortran-ordered, a big-endian, a float64 and a structured array.
  static let fortran =
    hexadecimal("934e554d5059 0100 7600")
    + header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 4), }", spaces: 59)
    + bytes32
  static let bigEndian =
    hexadecimal("934e554d5059 0100 7600") + header(f: ">f4", spaces: 58) + bytes32
  static let float64 =
    hexadecimal("934e554d5059 0100 7600") + header(f: "<f8", spaces: 58) + bytes32 + bytes32
  static let structured =
    hexadecimal("934e554d5059 0100 7600")
    + header(
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", spaces: 51)
    + hexadecimal("00000000 00000000")
  static let scalar =
    hexadecimal("934e554d5059 0100 7600")
    + header("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", spaces: 62)
    + hexadecimal("0000e040")

  /// `ids` int64 [2], `weights` float32 [1, 4], `h` float16 [1, 2], metadata format: np.
  static let safetensors =
    hexadecimal("d000000000000000")
    + Array(
      #"{"__metadata__":{"format":"np"},"ids":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},"#
        .utf8)
    + Array(
      #""weights":{"dtype":"F32","shape":[1,4],"data_offsets":[16,32]},"#.utf8)
    + Array(#""h":{"dtype":"F16","shape":[1,2],"data_offsets":[32,36]}}"#.utf8)
    + hexadecimal(
      "0100000000000000 0200000000000000 00000000 0000c0bf 00000040 00005040 0000 00be")

  private static func header(f description: String, spaces: Int) -> [UInt8] {
    header(
      "{'descr': '\(description)', 'fortran_order': False, 'shape': (2, 4), }", spaces: spaces)
  }

  private static func header(_ text: String, spaces: Int) -> [UInt8] {
    Array(text.utf8) + [UInt8](repeating: 32, count: spaces) + [10]
  }
}
