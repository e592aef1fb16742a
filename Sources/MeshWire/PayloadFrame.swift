internal import CMeshWire
internal import Checksums
internal import MeshCore

/// What travels in a payload frame: small fields, and a payload of up to a mebibyte.
package protocol PayloadMessage: Hashable, Sendable {
  /// CRC32C of the payload.
  var checksum: UInt32 { get set }
  /// Bytes of the payload that the other fields ask for; nil when they ask for none, for too many
  /// or for nonsense.
  var payloadBytes: Int? { get }
  /// The message as protobuf, without its payload.
  func packedFields() -> [UInt8]
  /// Reads what `packedFields` packs.
  /// - Parameter payloadCount: bytes of the payload that was found beside the fields.
  static func unpackFields(
    _ fields: [UInt8], payloadCount: Int
  ) throws(WireError) -> Self
  /// Walks a whole frame and finds its payload.
  static func scan(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> (whole: Range<Int>, content: Range<Int>)
}

/// The second frame of a message on a data socket: a protobuf message with one large field.
///
/// protobuf-c copies a field of bytes when it unpacks and again when it packs. Here it never sees
/// the payload: packing writes it straight into the frame behind the packed fields, and unpacking
/// gives protobuf-c the bytes around it. So there is one decoder for the schema, and the payload is
/// copied once in its life at a worker, out of the frame into the layout that the kernel reads. On
/// the wire the frame is the message that any protobuf library would write.
package struct PayloadFrame<Message: PayloadMessage>: Hashable, Sendable {
  package let message: Message
  /// Where the payload is in the frame.
  package let payloadRange: Range<Int>

  /// Reads a frame that came from anywhere. The payload is where it says and as long as the fields
  /// ask for; whether it has its checksum is said by `verify`.
  package init(decoding frame: UnsafeRawBufferPointer) throws(WireError) {
    guard frame.count <= Limits.dataFrameBytesMaximum else {
      throw .tooLarge(bytes: frame.count, limit: Limits.dataFrameBytesMaximum)
    }
    let (whole, content) = try Message.scan(frame)
    guard content.count <= Limits.payloadBytesMaximum else {
      throw .tooLarge(bytes: content.count, limit: Limits.payloadBytesMaximum)
    }
    let fieldBytes = frame.count - whole.count
    guard fieldBytes <= WireCaps.headerBytesMaximum else {
      throw .tooLarge(bytes: fieldBytes, limit: WireCaps.headerBytesMaximum)
    }
    var fields: [UInt8] = []
    fields.reserveCapacity(fieldBytes)
    fields.append(contentsOf: frame[..<whole.lowerBound])
    fields.append(contentsOf: frame[whole.upperBound...])
    let message = try Message.unpackFields(fields, payloadCount: content.count)
    guard message.payloadBytes == content.count else {
      throw .outOfRange("a payload of \(content.count) bytes")
    }
    self.message = message
    payloadRange = content
  }

  /// The payload within the frame that was decoded; valid as long as the frame is.
  package func payload(in frame: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard payloadRange.upperBound <= frame.count else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return UnsafeRawBufferPointer(rebasing: frame[payloadRange])
  }

  /// Throws unless the payload in the frame that was decoded has its checksum.
  package func verify(in frame: UnsafeRawBufferPointer) throws(WireError) {
    guard crc32c(payload(in: frame)) == message.checksum else { throw .checksumMismatch }
  }
}

extension PayloadMessage {
  /// Bytes of the frame in which this message travels; nil when it can't travel.
  package var frameBytes: Int? {
    guard let count = payloadBytes else { return nil }
    return packedFields().count + PayloadField.headerBytes(count) + count
  }

  /// Writes the frame with a payload whose checksum the message has.
  ///
  /// - Parameter frame: `frameBytes` long.
  package func write(
    _ payload: UnsafeRawBufferPointer, to frame: UnsafeMutableRawBufferPointer
  ) {
    PayloadField.writeHead(packedFields(), payloadCount: payload.count, to: frame)
    UnsafeMutableRawBufferPointer(rebasing: frame[(frame.count - payload.count)...])
      .copyMemory(from: payload)
  }

  /// Writes the frame with a payload that is made in place, and sets its checksum.
  ///
  /// - Parameter frame: `frameBytes` long.
  /// - Parameter fill: gets room for the payload, and writes all of it.
  package mutating func write(
    to frame: UnsafeMutableRawBufferPointer, fill: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    guard let count = payloadBytes, count <= frame.count else {
      preconditionFailure("no frame of \(frame.count) bytes for \(self)")
    }
    let payload = UnsafeMutableRawBufferPointer(rebasing: frame[(frame.count - count)...])
    fill(payload)
    checksum = crc32c(UnsafeRawBufferPointer(payload))
    PayloadField.writeHead(packedFields(), payloadCount: count, to: frame)
  }
}

/// The last field of every payload message: tag, length and content.
enum PayloadField {
  /// Number of the payload in all payload messages.
  static let number: UInt32 = 15

  /// Bytes of tag and length.
  static func headerBytes(_ count: Int) -> Int {
    var (bytes, rest) = (2, count >> 7)
    while rest > 0 { (bytes, rest) = (bytes + 1, rest >> 7) }
    return bytes
  }

  /// Writes everything before the content of the payload.
  static func writeHead(
    _ fields: [UInt8], payloadCount: Int, to frame: UnsafeMutableRawBufferPointer
  ) {
    precondition(
      frame.count == fields.count + headerBytes(payloadCount) + payloadCount,
      "a frame of \(frame.count) bytes for a payload of \(payloadCount)")
    frame.copyBytes(from: fields)
    var position = fields.count
    frame[position] = UInt8(truncatingIfNeeded: number << 3 | 2)
    position += 1
    var rest = payloadCount
    while rest > 127 {
      frame[position] = UInt8(truncatingIfNeeded: rest) | 128
      rest >>= 7
      position += 1
    }
    frame[position] = UInt8(truncatingIfNeeded: rest)
  }

  /// Walks a frame and finds its payload.
  static func scan(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(WireError) -> (whole: Range<Int>, content: Range<Int>) {
    let scan = try WireScan(bytes, of: descriptor, seeking: number)
    guard let field = scan.found else { throw .missingField("payload") }
    return (field.whole, field.content)
  }
}
