import AttentionKernels

/// One head to be computed: inputs already rounded to `type`, and what each row sees.
struct HeadProblem {
  var headDimension: Int
  var type: ElementType = .float32
  var scale: Double
  /// [rows][headDimension], [keys][headDimension] twice.
  var queries: [Double]
  var keys: [Double]
  var values: [Double]
  var mask: AttentionMask
  var shape = LogitShape.plain

  var rowCount: Int { queries.count / headDimension }
  var keyCount: Int { keys.count / headDimension }
  var operands = Operands.float32
  var layout: PackedLayout { PackedLayout(headDimension: headDimension, operands: operands) }

  /// Inputs from N(0, 1), the queries times `spread`. Without a mask row r sees keys
  /// 0 ..< causalFirst + r, or all keys.
  init(
    headDimension: Int, rows: Int, keys keyCount: Int, type: ElementType = .float32,
    causalFirst: Int? = nil, mask: AttentionMask? = nil, shape: LogitShape = .plain,
    spread: Double = 1, seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    self.headDimension = headDimension
    self.type = type
    self.mask =
      mask
      ?? AttentionMask(
        queries: rows, keys: keyCount, offset: causalFirst.map { $0 - 1 },
        after: causalFirst == nil ? nil : 0)
    self.shape = shape
    scale = 1 / Double(headDimension).squareRoot()
    queries = random.normals(rows * headDimension, times: spread).map { type.rounded($0) }
    keys = random.normals(keyCount * headDimension).map { type.rounded($0) }
    values = random.normals(keyCount * headDimension).map { type.rounded($0) }
  }

  var reference: ReferenceAttention {
    ReferenceAttention(
      keys: keys, values: values, headDimension: headDimension, scale: scale, shape: shape)
  }

  func sight(row: Int) -> Sight { mask.sight(query: row, keyCount: keyCount) }

  func query(row: Int) -> [Double] {
    Array(queries[row * headDimension..<(row + 1) * headDimension])
  }
}

extension ElementType {
  /// `value` rounded to this type.
  func rounded(_ value: Double) -> Double {
    switch self {
    case .float32: return Double(Float(value))
    case .float16: return Double(Float16(value))
    case .bfloat16:
      let float = Float(value)
      if !float.isFinite { return Double(float) }
      let bits = float.bitPattern
      let even = bits &+ 0x7FFF &+ ((bits &>> 16) & 1)
      return Double(Float(bitPattern: even & 0xFFFF_0000))
    }
  }

  /// Little-endian elements; `values` are of this type already.
  func bytes(_ values: [Double]) -> [UInt8] {
    func bytes<Bits: FixedWidthInteger>(_ bits: (Double) -> Bits) -> [UInt8] {
      [UInt8](unsafeUninitializedCapacity: values.count * Bits.bitWidth / 8) { buffer, count in
        for (index, value) in values.enumerated() {
          UnsafeMutableRawBufferPointer(buffer).storeBytes(
            of: bits(value).littleEndian, toByteOffset: index * Bits.bitWidth / 8, as: Bits.self)
        }
        count = buffer.count
      }
    }
    switch self {
    case .float32: return bytes { Float($0).bitPattern }
    case .float16: return bytes { Float16($0).bitPattern }
    case .bfloat16: return bytes { UInt16(truncatingIfNeeded: Float($0).bitPattern &>> 16) }
    }
  }
}
