internal import CMeshWire
internal import MeshCore

/// Walks the tags of a frame before protobuf-c sees it, along the descriptors that were generated
/// from the schema. What passes has a bounded number of fields, each in its wire type and within
/// the frame; protobuf-c alone would keep any number of unknown fields, at many times their size.
struct WireScan {
  /// Where a field of a frame is.
  struct Field {
    /// From its tag to its end.
    var whole: Range<Int>
    var content: Range<Int>
  }

  private let bytes: UnsafeRawBufferPointer
  /// Number of the outermost field whose place is wanted; 0 for none.
  private let sought: UInt32
  private(set) var found: Field?
  private var unknownFields = 0

  /// Deeper than any message of the schema, none of which contains itself.
  private static let depthMaximum = 8

  init(
    _ bytes: UnsafeRawBufferPointer, of message: UnsafePointer<ProtobufCMessageDescriptor>,
    seeking sought: UInt32 = 0
  ) throws(WireError) {
    self.bytes = bytes
    self.sought = sought
    try scan(message, 0..<bytes.count, depth: 0)
  }

  private mutating func scan(
    _ message: UnsafePointer<ProtobufCMessageDescriptor>, _ range: Range<Int>, depth: Int
  ) throws(WireError) {
    guard depth < Self.depthMaximum else { throw .malformed("nested too deep") }
    var counts = [Int](repeating: 0, count: Int(message.pointee.n_fields))
    var position = range.lowerBound
    while position < range.upperBound {
      let start = position
      let tag = try varint(&position, range.upperBound)
      guard tag >> 3 != 0, let id = UInt32(exactly: tag >> 3), id < 1 << 29 else {
        throw .malformed("field number \(tag >> 3)")
      }
      let wireType = tag & 7
      let value = try varintValue(wireType, &position, range.upperBound)
      let content = try content(wireType, value, &position, range.upperBound)
      guard let field = attnmesh_wire_field(message, id) else {
        unknownFields += 1
        guard unknownFields <= WireCaps.unknownFieldsMaximum else {
          throw .malformed("more than \(WireCaps.unknownFieldsMaximum) unknown fields")
        }
        continue
      }
      let elements = try check(field, wireType, value, content, depth)
      let index = field - message.pointee.fields
      guard counts.indices.contains(index) else { throw .malformed("field \(id)") }
      counts[index] += elements
      try checkCount(of: field, in: message, counts, index)
      if depth == 0, id == sought { found = Field(whole: start..<position, content: content) }
    }
  }

  /// The value of a varint field; 0 for other wire types.
  private func varintValue(
    _ wireType: UInt64, _ position: inout Int, _ end: Int
  ) throws(WireError) -> UInt64 {
    wireType == 0 ? try varint(&position, end) : 0
  }

  /// The bytes of a field after its tag and length; empty for a varint. Moves behind them.
  private func content(
    _ wireType: UInt64, _ value: UInt64, _ position: inout Int, _ end: Int
  ) throws(WireError) -> Range<Int> {
    let length: UInt64
    switch wireType {
    case 0: length = 0
    case 1: length = 8
    case 2: length = try varint(&position, end)
    case 5: length = 4
    default: throw .malformed("wire type \(wireType)")
    }
    guard length <= UInt64(end - position) else { throw .truncated }
    let start = position
    position += Int(length)
    return start..<position
  }

  /// Checks one known field and what is in it. Returns how many elements it adds.
  private mutating func check(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, _ wireType: UInt64, _ value: UInt64,
    _ content: Range<Int>, _ depth: Int
  ) throws(WireError) -> Int {
    let type = field.pointee.type
    let expected = Self.wireType(of: type)
    guard wireType == expected else {
      // Numbers of a repeated field may be packed.
      guard wireType == 2, expected == 0, Self.isRepeated(field) else {
        throw .malformed("\(Self.name(field)) has wire type \(wireType)")
      }
      return try packed(field, content)
    }
    switch type {
    case PROTOBUF_C_TYPE_MESSAGE:
      guard let inner = field.pointee.descriptor else { throw .malformed(Self.name(field)) }
      try scan(
        inner.assumingMemoryBound(to: ProtobufCMessageDescriptor.self), content, depth: depth + 1)
    case PROTOBUF_C_TYPE_STRING:
      guard content.count <= Limits.textBytesMaximum else {
        throw .outOfRange("\(Self.name(field)) has \(content.count) bytes")
      }
      // A C string would end there.
      guard !bytes[content].contains(0) else { throw .malformed("NUL in \(Self.name(field))") }
    default:
      try checkNumber(field, value)
    }
    return 1
  }

  /// Numbers of a packed field.
  private func packed(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, _ content: Range<Int>
  ) throws(WireError) -> Int {
    var position = content.lowerBound
    var count = 0
    while position < content.upperBound {
      try checkNumber(field, try varint(&position, content.upperBound))
      count += 1
    }
    return count
  }

  /// protobuf-c cuts a number to 32 bits where the schema says so; here it is refused.
  private func checkNumber(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, _ value: UInt64
  ) throws(WireError) {
    guard field.pointee.type == PROTOBUF_C_TYPE_UINT64 || value <= UInt64(UInt32.max) else {
      throw .outOfRange("\(Self.name(field)) is \(value)")
    }
  }

  private func checkCount(
    of field: UnsafePointer<ProtobufCFieldDescriptor>,
    in message: UnsafePointer<ProtobufCMessageDescriptor>, _ counts: [Int], _ index: Int
  ) throws(WireError) {
    let limit = Self.isRepeated(field) ? WireCaps.elementsMaximum : 1
    guard counts[index] <= limit else {
      throw .malformed("\(Self.name(field)) occurs more than \(limit) times")
    }
    guard Self.isOneof(field) else { return }
    // Members of one oneof share the place of its case.
    for other in counts.indices where other != index && counts[other] > 0 {
      let rival = message.pointee.fields + other
      if Self.isOneof(rival), rival.pointee.quantifier_offset == field.pointee.quantifier_offset {
        throw .malformed("\(Self.name(field)) beside \(Self.name(rival))")
      }
    }
  }
}

extension WireScan {
  private func varint(_ position: inout Int, _ end: Int) throws(WireError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard position < end else { throw .truncated }
      let byte = bytes[position]
      position += 1
      guard shift < 63 || byte <= 1 else { throw .malformed("a number beyond 64 bits") }
      value |= UInt64(byte & 127) << shift
      if byte < 128 { return value }
    }
    throw .malformed("a number beyond 64 bits")
  }

  private static func wireType(of type: ProtobufCType) -> UInt64 {
    switch type {
    case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE: 1
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE: 2
    case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT: 5
    default: 0
    }
  }

  private static func isRepeated(_ field: UnsafePointer<ProtobufCFieldDescriptor>) -> Bool {
    field.pointee.label == PROTOBUF_C_LABEL_REPEATED
  }

  private static func isOneof(_ field: UnsafePointer<ProtobufCFieldDescriptor>) -> Bool {
    field.pointee.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0
  }

  private static func name(_ field: UnsafePointer<ProtobufCFieldDescriptor>) -> String {
    field.pointee.name.map { String(cString: $0) } ?? "a field"
  }
}
