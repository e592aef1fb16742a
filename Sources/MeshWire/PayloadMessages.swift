internal import CMeshWire
internal import ElementTypes
package import MeshCore

extension TilePart: PayloadMessage {
  package var payloadBytes: Int? {
    MeshWire.payloadBytes([heads.count, tokens.count, rowBytes])
  }

  package func packedFields() -> [UInt8] {
    let arena = Arena()
    let message = arena.make(mesh__v1__tile_part__init)
    message.pointee.header = arena.partHeader(header)
    message.pointee.head_begin = wire32(heads.lowerBound)
    message.pointee.head_end = wire32(heads.upperBound)
    message.pointee.token_begin = wire32(tokens.lowerBound)
    message.pointee.token_end = wire32(tokens.upperBound)
    message.pointee.head_dimension = wire32(headDimension)
    message.pointee.element = Mesh__V1__ElementType(UInt32(element.rawValue))
    message.pointee.row_bytes = wire32(rowBytes)
    message.pointee.layout = MESH__V1__PAYLOAD_LAYOUT__PAYLOAD_LAYOUT_HEADS_TOKENS_DIMENSION
    message.pointee.has_crc32c_case = MESH__V1__TILE_PART__HAS_CRC32C_CRC32C
    message.pointee.crc32c = checksum
    return arena.packed(message)
  }

  package static func scan(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> (whole: Range<Int>, content: Range<Int>) {
    try PayloadField.scan(bytes, attnmesh_wire_tile_part())
  }

  package static func unpackFields(
    _ fields: [UInt8], payloadCount: Int
  ) throws(WireError) -> TilePart {
    try unpackScanned(fields, attnmesh_wire_tile_part(), TilePart.init(message:))
  }

  private init(message: Mesh__V1__TilePart) throws(WireError) {
    try checkLayout(message.layout)
    guard message.has_crc32c_case == MESH__V1__TILE_PART__HAS_CRC32C_CRC32C else {
      throw .missingField("checksum")
    }
    self.init(
      header: try PartHeader(required: message.header),
      heads: try range(
        message.head_begin, message.head_end, maximum: Limits.headsMaximum, "heads"),
      tokens: try range(
        message.token_begin, message.token_end, maximum: Limits.tokensMaximum, "tokens"),
      headDimension: try number(
        message.head_dimension, in: 1...Limits.headDimensionMaximum, "head dimension"),
      element: try enumeration(message.element.rawValue, "element type"),
      rowBytes: try number(message.row_bytes, in: 1...Self.rowBytesMaximum, "bytes of a row"),
      checksum: message.crc32c)
    let most = header.tile.tensor == .query ? Plan.queryTileRows : Plan.keyTileKeys
    guard tokens.count <= most else { throw .outOfRange("a tile of \(tokens.count) tokens") }
  }
}

extension SoftmaxState: PayloadMessage {
  package var payloadBytes: Int? {
    // No more than a few thousand columns: a head dimension is checked before it is multiplied.
    MeshWire.payloadBytes([heads.count, rows.count, columns, 4])
  }

  package func packedFields() -> [UInt8] {
    let arena = Arena()
    let message = arena.make(mesh__v1__softmax_state__init)
    message.pointee.header = arena.stateHeader(header)
    message.pointee.next = wire32(next)
    message.pointee.head_begin = wire32(heads.lowerBound)
    message.pointee.head_end = wire32(heads.upperBound)
    message.pointee.row_begin = wire32(rows.lowerBound)
    message.pointee.row_end = wire32(rows.upperBound)
    message.pointee.head_dimension = wire32(headDimension)
    message.pointee.normalisation = Mesh__V1__Normalisation(UInt32(kind.rawValue))
    message.pointee.log_base = Self.logBase(kind)
    message.pointee.layout = MESH__V1__PAYLOAD_LAYOUT__PAYLOAD_LAYOUT_HEADS_TOKENS_DIMENSION
    message.pointee.has_crc32c_case = MESH__V1__SOFTMAX_STATE__HAS_CRC32C_CRC32C
    message.pointee.crc32c = checksum
    return arena.packed(message)
  }

  package static func scan(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> (whole: Range<Int>, content: Range<Int>) {
    try PayloadField.scan(bytes, attnmesh_wire_softmax_state())
  }

  package static func unpackFields(
    _ fields: [UInt8], payloadCount: Int
  ) throws(WireError) -> SoftmaxState {
    try unpackScanned(fields, attnmesh_wire_softmax_state(), SoftmaxState.init(message:))
  }

  /// A log-sum-exp is natural, a running maximum has base 2.
  private static func logBase(_ kind: Kind) -> Mesh__V1__LogBase {
    switch kind {
    case .running: MESH__V1__LOG_BASE__LOG_BASE_2
    case .normalised: MESH__V1__LOG_BASE__LOG_BASE_E
    case .gradients: MESH__V1__LOG_BASE__LOG_BASE_UNSPECIFIED
    }
  }

  private init(message: Mesh__V1__SoftmaxState) throws(WireError) {
    try checkLayout(message.layout)
    guard message.has_crc32c_case == MESH__V1__SOFTMAX_STATE__HAS_CRC32C_CRC32C else {
      throw .missingField("checksum")
    }
    let kind: Kind = try enumeration(message.normalisation.rawValue, "normalisation")
    guard message.log_base == Self.logBase(kind) else {
      throw .outOfRange("log base \(message.log_base.rawValue)")
    }
    let header = try StateHeader(required: message.header)
    self.init(
      job: header.job, planTag: header.planTag, vrank: header.vrank, epoch: header.epoch,
      next: try tileCount(message.next, "next"),
      tile: header.tile, part: header.part,
      heads: try range(
        message.head_begin, message.head_end, maximum: Limits.headsMaximum, "heads"),
      rows: try range(message.row_begin, message.row_end, maximum: Limits.tokensMaximum, "rows"),
      headDimension: try number(
        message.head_dimension, in: 1...Limits.headDimensionMaximum, "head dimension"),
      kind: kind, checksum: message.crc32c)
    let most = tile.tensor == .query ? Plan.queryTileRows : Plan.keyTileKeys
    guard rows.count <= most, kind == .gradients || tile.tensor == .query else {
      throw .outOfRange("\(rows.count) rows of a \(tile)")
    }
  }
}

extension Chunk: PayloadMessage {
  package var payloadBytes: Int? { MeshWire.payloadBytes([count]) }

  package func packedFields() -> [UInt8] {
    let arena = Arena()
    let message = arena.make(mesh__v1__chunk__init)
    message.pointee.offset = wire64(offset)
    message.pointee.has_crc32c_case = MESH__V1__CHUNK__HAS_CRC32C_CRC32C
    message.pointee.crc32c = checksum
    return arena.packed(message)
  }

  package static func scan(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> (whole: Range<Int>, content: Range<Int>) {
    try PayloadField.scan(bytes, attnmesh_wire_chunk())
  }

  package static func unpackFields(
    _ fields: [UInt8], payloadCount: Int
  ) throws(WireError) -> Chunk {
    try unpackScanned(fields, attnmesh_wire_chunk()) {
      (message: Mesh__V1__Chunk) throws(WireError) in
      guard message.has_crc32c_case == MESH__V1__CHUNK__HAS_CRC32C_CRC32C else {
        throw .missingField("checksum")
      }
      return Chunk(
        offset: try byteCount(message.offset, "offset"), count: payloadCount,
        checksum: message.crc32c)
    }
  }
}

/// The product of positive factors, if it is the size of a payload.
private func payloadBytes(_ factors: [Int]) -> Int? {
  var product = 1
  for factor in factors {
    let (partial, overflow) = product.multipliedReportingOverflow(by: factor)
    guard !overflow, factor > 0 else { return nil }
    product = partial
  }
  return product <= Limits.payloadBytesMaximum ? product : nil
}

private func checkLayout(_ layout: Mesh__V1__PayloadLayout) throws(WireError) {
  guard layout == MESH__V1__PAYLOAD_LAYOUT__PAYLOAD_LAYOUT_HEADS_TOKENS_DIMENSION else {
    throw .outOfRange("payload layout \(layout.rawValue)")
  }
}
