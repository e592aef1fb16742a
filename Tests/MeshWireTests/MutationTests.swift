import MeshCore
import MeshWire
import Testing

extension WireTests {
  /// Messages damaged at random, the same way in every run.
  @Suite struct MutationTests {
    private enum Mutation: CaseIterable {
      case flipBit, setByte, delete, insert, cut, repeatField, dropField, swapFields, unknownField
      case wrongWireType, hugeLength, hugeNumber, replaceContent, splice
    }

    private static let hugeNumbers: [UInt64] = [.max, 1 << 63, 1 << 32, 1 << 31, 1 << 20]

    @Test("100,000 damaged messages decode or fail with a typed error, in bounded memory")
    func mutations() {
      var random = SplitMix64(seed: 20_26)
      let frames = validFrames.filter { $0.bytes.count <= 16_384 }
      // Warm up: the allocator's own pools.
      for (kind, bytes) in frames { _ = kind.error(bytes) }
      let before = residentBytes()
      var (decoded, refused, kinds) = (0, 0, Set<String>())
      for _ in 0..<100_000 * soakFactor {
        let (kind, original) = frames[Int.random(in: 0..<frames.count, using: &random)]
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let mutation = Mutation.allCases.randomElement(using: &random) ?? .flipBit
          mutate(&bytes, mutation, &random)
        }
        if let error = kind.error(bytes) {
          refused += 1
          kinds.insert("\(error)".prefix { $0 != " " && $0 != ":" }.description)
        } else {
          decoded += 1
        }
      }
      let growth = residentBytes() - before
      #expect(before > 1 << 20)
      print(
        "mutations: \(decoded) decoded, \(refused) refused, \(growth >> 10) KiB growth,",
        "peak \(WireMemory.peakBytes >> 10) KiB")
      #expect(decoded > 1_000 && refused > 50_000)
      #expect(WireMemory.heldBytes == 0)
      #expect(growth < 32 << 20)
    }

    /// Damages the outermost message, or one field's content in it, or one deeper.
    private func mutate(
      _ bytes: inout [UInt8], _ mutation: Mutation, _ random: inout SplitMix64, depth: Int = 0
    ) {
      guard var parts = wellFormedFields(of: bytes), !parts.isEmpty else {
        if !bytes.isEmpty {
          bytes[Int.random(in: bytes.indices, using: &random)] ^=
            1
            << UInt8.random(
              in: 0...7, using: &random)
        }
        return
      }
      let index = Int.random(in: parts.indices, using: &random)
      // Half of the time inside of a field that has a content.
      if depth < 4, Bool.random(using: &random), let (tag, inner) = content(parts[index]) {
        var content = inner
        mutate(&content, mutation, &random, depth: depth + 1)
        parts[index] = Writer.bytes(tag, content)
        bytes = Array(parts.joined())
        return
      }
      let at = Int.random(in: bytes.indices, using: &random)
      switch mutation {
      case .flipBit: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &random)
      case .setByte: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case .delete: bytes.remove(at: at)
      case .insert: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
      case .cut: bytes.removeLast(bytes.count - at)
      case .repeatField:
        let count = [1, 2, 300].randomElement(using: &random) ?? 1
        bytes += Array(repeating: parts[index], count: count).joined()
      case .dropField:
        parts.remove(at: index)
        bytes = Array(parts.joined())
      case .swapFields:
        parts.swapAt(index, Int.random(in: parts.indices, using: &random))
        bytes = Array(parts.joined())
      case .unknownField:
        let count = [1, 64, 65].randomElement(using: &random) ?? 1
        let field = UInt64.random(in: 1...60, using: &random)
        bytes += Array(repeating: Writer.number(field, random.next()), count: count).joined()
      case .wrongWireType:
        parts[index][0] = parts[index][0] & 0xF8 | UInt8.random(in: 0...7, using: &random)
        bytes = Array(parts.joined())
      case .hugeLength:
        let length = Self.hugeNumbers.randomElement(using: &random) ?? 0
        bytes += Writer.tag(UInt64.random(in: 1...31, using: &random), 2) + Writer.varint(length)
      case .hugeNumber:
        let number = Self.hugeNumbers.randomElement(using: &random) ?? 0
        parts[index] = Writer.number(UInt64(parts[index][0] >> 3), number)
        bytes = Array(parts.joined())
      case .replaceContent:
        let content: [[UInt8]] = [[0xFF, 0xFE], [0], [], [UInt8](repeating: 0x80, count: 12)]
        parts[index] = Writer.bytes(
          UInt64(parts[index][0] >> 3), content.randomElement(using: &random) ?? [])
        bytes = Array(parts.joined())
      case .splice:
        let other = validFrames[Int.random(in: validFrames.indices, using: &random)].bytes
        bytes += fields(of: other).randomElement(using: &random) ?? []
      }
      if bytes.count > 300_000 { bytes.removeLast(bytes.count - 300_000) }
    }

    /// Tag and content of a field that has a length.
    private func content(_ field: [UInt8]) -> (UInt64, [UInt8])? {
      guard let reader = Reader(field), reader.wireType == 2 else { return nil }
      return (reader.field, Array(field[reader.contentStart...]))
    }

    /// The fields, or nil when the bytes aren't a sequence of fields.
    private func wellFormedFields(of bytes: [UInt8]) -> [[UInt8]]? {
      var (parts, rest): ([[UInt8]], ArraySlice<UInt8>) = ([], bytes[...])
      while !rest.isEmpty {
        guard let reader = Reader(Array(rest.prefix(24))), reader.end <= rest.count else {
          return nil
        }
        parts.append(Array(rest.prefix(reader.end)))
        rest = rest.dropFirst(reader.end)
      }
      return parts
    }
  }
}

/// Reads the head of one field; nil when there is none.
private struct Reader {
  var field: UInt64 = 0
  var wireType: UInt64 = 0
  var contentStart = 0
  var end = 0

  init?(_ bytes: [UInt8]) {
    var position = 0
    func varint() -> UInt64? {
      var value: UInt64 = 0
      for shift in stride(from: UInt64(0), to: 63, by: 7) {
        guard position < bytes.count else { return nil }
        value |= UInt64(bytes[position] & 127) << shift
        position += 1
        if bytes[position - 1] < 128 { return value }
      }
      return nil
    }
    guard let tag = varint() else { return nil }
    (field, wireType) = (tag >> 3, tag & 7)
    switch wireType {
    case 0:
      guard varint() != nil else { return nil }
      end = position
    case 1: end = position + 8
    case 2:
      guard let length = varint(), length < 1 << 30 else { return nil }
      contentStart = position
      end = position + Int(length)
    case 5: end = position + 4
    default: return nil
    }
  }
}
