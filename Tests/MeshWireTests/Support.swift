import Glibc
import MeshCore
import MeshWire
import Testing

/// All suites of the wire, one test after the other: some look at memory of the whole process.
@Suite(.serialized) struct WireTests {}

/// What a test decodes bytes as.
enum Kind: CaseIterable {
  case control, data, tilePart, softmaxState, chunk

  /// Decodes; the error if there is one.
  func error(_ bytes: [UInt8]) -> WireError? {
    bytes.withUnsafeBytes { buffer in
      do throws(WireError) {
        switch self {
        case .control: _ = try ControlFrame(decoding: buffer)
        case .data: _ = try DataFrame(decoding: buffer)
        case .tilePart: try PayloadFrame<TilePart>(decoding: buffer).verify(in: buffer)
        case .softmaxState: try PayloadFrame<SoftmaxState>(decoding: buffer).verify(in: buffer)
        case .chunk: try PayloadFrame<Chunk>(decoding: buffer).verify(in: buffer)
        }
        return nil
      } catch {
        return error
      }
    }
  }
}

func decodeControl(_ bytes: [UInt8]) throws -> ControlFrame {
  try bytes.withUnsafeBytes { try ControlFrame(decoding: $0) }
}

func decodeData(_ bytes: [UInt8]) throws -> DataFrame {
  try bytes.withUnsafeBytes { try DataFrame(decoding: $0) }
}

/// Every sample as bytes, with what it is.
let validFrames: [(kind: Kind, bytes: [UInt8])] =
  Samples.controlFrames.map { (.control, $0.encode()) }
  + Samples.dataFrames.map { (.data, $0.encode()) }
  + TileTensor.allCases.map { (.tilePart, Samples.frame(Samples.tilePart($0)).1) }
  + SoftmaxState.Kind.allCases.map { (.softmaxState, Samples.frame(Samples.softmaxState($0)).1) }
  + [(.chunk, Samples.frame(Chunk(offset: 5, count: 300, checksum: 0)).1)]

/// Writes protobuf by hand, to say what a sender must not.
struct Writer {
  var bytes: [UInt8] = []

  /// How every envelope begins that this side accepts.
  static let version = number(1, UInt64(protocolVersion))

  static func varint(_ value: UInt64) -> [UInt8] {
    var (bytes, rest): ([UInt8], UInt64) = ([], value)
    while rest > 127 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func tag(_ field: UInt64, _ wireType: UInt64) -> [UInt8] {
    varint(field << 3 | wireType)
  }

  static func number(_ field: UInt64, _ value: UInt64) -> [UInt8] { tag(field, 0) + varint(value) }

  static func fixed64(_ field: UInt64, _ value: UInt64) -> [UInt8] {
    tag(field, 1) + withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  static func bytes(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
    tag(field, 2) + varint(UInt64(content.count)) + content
  }
}

/// The outermost fields of a valid message, as bytes.
func fields(of message: [UInt8]) -> [[UInt8]] {
  var (result, position): ([[UInt8]], Int) = ([], 0)
  func varint() -> Int {
    var (value, shift) = (0, 0)
    while true {
      let byte = message[position]
      position += 1
      value |= Int(byte & 127) << shift
      if byte < 128 { return value }
      shift += 7
    }
  }
  while position < message.count {
    let start = position
    switch varint() & 7 {
    case 0: _ = varint()
    case 1: position += 8
    case 2:
      let length = varint()
      position += length
    default: position += 4
    }
    result.append(Array(message[start..<position]))
  }
  return result
}

/// The content of a field of a field … of a message.
func content(of message: [UInt8], at path: [UInt64]) -> [UInt8] {
  var found: [UInt8] = []
  _ = changing(message, at: path) {
    found = $0
    return $0
  }
  return found
}

/// The message with the content of the first field at a path changed.
func changing(
  _ message: [UInt8], at path: [UInt64], _ change: ([UInt8]) -> [UInt8]
) -> [UInt8] {
  guard let number = path.first else { return change(message) }
  let tag = Writer.tag(number, 2)
  var parts = fields(of: message)
  guard let index = parts.firstIndex(where: { $0.starts(with: tag) }) else { return message }
  let rest = parts[index].dropFirst(tag.count)
  let lengthBytes = rest.prefix { $0 > 127 }.count + 1
  let inner = changing(Array(rest.dropFirst(lengthBytes)), at: Array(path.dropFirst()), change)
  parts[index] = Writer.bytes(number, inner)
  return Array(parts.joined())
}

/// The message without a field, at most 15, of the one at a path.
func dropping(_ number: UInt8, of message: [UInt8], at path: [UInt64]) -> [UInt8] {
  changing(message, at: path) { fields(of: $0).filter { $0[0] >> 3 != number }.flatMap(\.self) }
}

/// Resident bytes of this process.
func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var text = [CChar](repeating: 0, count: 128)
  guard fgets(&text, 128, file) != nil else { return 0 }
  let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    .split(separator: " ")
  return words.count > 1 ? (Int(words[1]) ?? 0) * 4_096 : 0
}
