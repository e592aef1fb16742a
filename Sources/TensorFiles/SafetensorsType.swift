internal import ElementTypes

/// The element types that a .safetensors file may declare. Only four are read, but the sizes of
/// all are needed to check that the file is sound.
enum SafetensorsType: String {
  case bool = "BOOL"
  case float4 = "F4"
  case float6e2m3 = "F6_E2M3"
  case float6e3m2 = "F6_E3M2"
  case uint8 = "U8"
  case int8 = "I8"
  case float8e5m2 = "F8_E5M2"
  case float8e4m3 = "F8_E4M3"
  case float8e8m0 = "F8_E8M0"
  case float8e4m3fnuz = "F8_E4M3FNUZ"
  case float8e5m2fnuz = "F8_E5M2FNUZ"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case complex64 = "C64"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// The type that stores an element.
  init(_ element: ElementType) {
    switch element {
    case .float32: self = .float32
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    }
  }

  /// The numbers it stores; nil for those narrower than a byte, of eight bits with a fraction, and
  /// complex ones.
  var stored: StoredType? {
    switch self {
    case .bool: StoredType(.boolean, 1)
    case .int8, .int16, .int32, .int64: StoredType(.signed, bitCount / 8)
    case .uint8, .uint16, .uint32, .uint64: StoredType(.unsigned, bitCount / 8)
    case .float16, .float32, .float64: StoredType(.floating, bitCount / 8)
    case .bfloat16: StoredType(.brain, 2)
    default: nil
    }
  }

  private var bitCount: Int {
    switch self {
    case .float4: 4
    case .float6e2m3, .float6e3m2: 6
    case .bool, .uint8, .int8, .float8e5m2, .float8e4m3, .float8e8m0, .float8e4m3fnuz,
      .float8e5m2fnuz:
      8
    case .int16, .uint16, .float16, .bfloat16: 16
    case .int32, .uint32, .float32: 32
    case .complex64, .float64, .int64, .uint64: 64
    }
  }

  /// Bytes of a dense tensor; nil where it is more than an Int holds, or where elements narrower
  /// than a byte do not fill the last one.
  func byteCount(ofShape shape: [Int]) -> Int? {
    guard let bits = checkedProduct(shape, times: bitCount), bits % 8 == 0 else { return nil }
    return bits / 8
  }
}
