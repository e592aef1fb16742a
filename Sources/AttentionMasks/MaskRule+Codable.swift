/// The two masks that need no more words are a number, as before there were others: what an earlier
/// version wrote is read, and what it can do it can read.
extension MaskRule: Codable {
  private enum Keys: String, CodingKey {
    case isCausal, left, right, sinkTokens, documents, blocks
  }

  private static var fullNumber: UInt8 { 1 }
  private static var causalNumber: UInt8 { 2 }

  package init(from decoder: any Decoder) throws {
    if let container = try? decoder.singleValueContainer(),
      let number = try? container.decode(UInt8.self)
    {
      guard [Self.fullNumber, Self.causalNumber].contains(number) else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "mask \(number)")
      }
      self = number == Self.causalNumber ? .causal : .full
      return
    }
    let values = try decoder.container(keyedBy: Keys.self)
    self.init(
      isCausal: try values.decode(Bool.self, forKey: .isCausal),
      left: try values.decodeIfPresent(Int.self, forKey: .left),
      right: try values.decodeIfPresent(Int.self, forKey: .right),
      sinkTokens: try values.decode(Int.self, forKey: .sinkTokens),
      documents: try values.decodeIfPresent(Documents.self, forKey: .documents),
      blocks: try values.decodeIfPresent(Block.self, forKey: .blocks))
  }

  package func encode(to encoder: any Encoder) throws {
    if self == .full || self == .causal {
      var container = encoder.singleValueContainer()
      return try container.encode(isCausal ? Self.causalNumber : Self.fullNumber)
    }
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode(isCausal, forKey: .isCausal)
    try values.encodeIfPresent(left, forKey: .left)
    try values.encodeIfPresent(right, forKey: .right)
    try values.encode(sinkTokens, forKey: .sinkTokens)
    try values.encodeIfPresent(documents, forKey: .documents)
    try values.encodeIfPresent(blocks, forKey: .blocks)
  }
}
