internal import CMeshWire
internal import MeshCore

// What a job says of its mask and its logits.

extension Arena {
  func mask(_ mask: MaskRule, into message: UnsafeMutablePointer<Mesh__V1__JobSpec>) {
    message.pointee.mask =
      mask.isCausal ? MESH__V1__MASK__MASK_CAUSAL : MESH__V1__MASK__MASK_FULL
    message.pointee.window_left = wire64(mask.left.map { $0 + 1 } ?? 0)
    message.pointee.window_right = wire64(mask.right.map { $0 + 1 } ?? 0)
    message.pointee.sink_tokens = wire64(mask.sinkTokens)
    message.pointee.document_queries = words((mask.documents?.queries ?? []).map { wire32($0) })
    message.pointee.document_keys = words((mask.documents?.keys ?? []).map { wire32($0) })
    message.pointee.block_queries = wire64(mask.blocks?.queries ?? 0)
    message.pointee.block_keys = wire64(mask.blocks?.keys ?? 0)
    message.pointee.has_map_per_head = mask.blocks?.isPerHead == true ? 1 : 0
  }

  /// Numbers of four bytes, little-endian.
  func words(_ values: [UInt32]) -> ProtobufCBinaryData {
    bytes(values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } })
  }
}

extension MaskRule {
  /// Numbers as they came: `AttentionJob.problem` says whether they can be.
  init(_ message: Mesh__V1__JobSpec) throws(WireError) {
    guard
      message.mask == MESH__V1__MASK__MASK_FULL || message.mask == MESH__V1__MASK__MASK_CAUSAL
    else { throw .outOfRange("mask is \(message.mask.rawValue)") }
    self.init(
      isCausal: message.mask == MESH__V1__MASK__MASK_CAUSAL,
      left: try Self.side(message.window_left, "window before a query"),
      right: try Self.side(message.window_right, "window behind a query"),
      sinkTokens: try Self.tokens(message.sink_tokens, "sink tokens"),
      documents: try Self.documents(message), blocks: try Self.blocks(message))
  }

  private static func tokens(_ value: UInt64, _ field: StaticString) throws(WireError) -> Int {
    guard value <= tokensMaximum else { throw .outOfRange("\(field) is \(value)") }
    return Int(value)
  }

  private static func side(_ value: UInt64, _ field: StaticString) throws(WireError) -> Int? {
    value == 0 ? nil : try tokens(value - 1, field)
  }

  private static func blocks(_ message: Mesh__V1__JobSpec) throws(WireError) -> Block? {
    let isPerHead = message.has_map_per_head != 0
    if message.block_queries == 0, message.block_keys == 0, !isPerHead { return nil }
    return Block(
      queries: try tokens(message.block_queries, "queries of a block"),
      keys: try tokens(message.block_keys, "keys of a block"), isPerHead: isPerHead)
  }

  private static func documents(_ message: Mesh__V1__JobSpec) throws(WireError) -> Documents? {
    let queries = try words(
      message.document_queries, maximum: documentsMaximum, "documents of queries")
    let keys = try words(message.document_keys, maximum: documentsMaximum, "documents of keys")
    if queries.isEmpty, keys.isEmpty { return nil }
    return Documents(queries: queries.map { Int($0) }, keys: keys.map { Int($0) })
  }
}

extension LogitRule {
  init(_ message: Mesh__V1__JobSpec) throws(WireError) {
    func floats(
      _ data: ProtobufCBinaryData, _ field: StaticString
    ) throws(WireError) -> [Float] {
      try words(data, maximum: LogitRule.headsMaximum, field).map { Float(bitPattern: $0) }
    }
    self.init(
      softcap: message.softcap == 0 ? nil : message.softcap,
      alibiSlopes: try floats(message.alibi_slopes, "ALiBi slopes"),
      sinkLogits: try floats(message.sink_logits, "sink logits"))
  }
}

/// Numbers of four bytes, little-endian.
private func words(
  _ data: ProtobufCBinaryData, maximum: Int, _ field: StaticString
) throws(WireError) -> [UInt32] {
  guard data.len % 4 == 0, data.len <= 4 * maximum else {
    throw .outOfRange("\(field) has \(data.len) bytes")
  }
  guard let bytes = data.data else { return [] }
  return stride(from: 0, to: data.len, by: 4).map { start in
    (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) }
  }
}
