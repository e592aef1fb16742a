internal import CMeshWire
internal import MeshCore

/// Owns the C structures of one message while it is packed.
final class Arena {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit {
    for block in blocks { block.deallocate() }
  }

  private func allocate<Element>(_ count: Int) -> UnsafeMutablePointer<Element> {
    let block = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count * MemoryLayout<Element>.stride),
      alignment: MemoryLayout<Element>.alignment)
    blocks.append(block)
    return block.bindMemory(to: Element.self, capacity: count)
  }

  /// A message with the defaults of its generated initialiser.
  func make<Message>(
    _ initialise: (UnsafeMutablePointer<Message>?) -> Void
  ) -> UnsafeMutablePointer<Message> {
    let message: UnsafeMutablePointer<Message> = allocate(1)
    initialise(message)
    return message
  }

  /// Text cut to `maximum` bytes at a character, and at a NUL: sending never fails.
  func text(_ text: String, maximum: Int) -> UnsafeMutablePointer<CChar> {
    let bytes = Array(text.utf8)
    var count = min(maximum, bytes.firstIndex(of: 0) ?? bytes.count)
    // A byte 10xxxxxx continues a character that began before it.
    while count > 0, count < bytes.count, bytes[count] & 0xC0 == 0x80 { count -= 1 }
    let copy: UnsafeMutablePointer<CChar> = allocate(count + 1)
    for index in 0..<count { copy[index] = CChar(bitPattern: bytes[index]) }
    copy[count] = 0
    return copy
  }

  func name(_ text: String) -> UnsafeMutablePointer<CChar> {
    self.text(text, maximum: Limits.nameBytesMaximum)
  }

  func endpoint(_ text: String) -> UnsafeMutablePointer<CChar> {
    self.text(text, maximum: WireCaps.endpointBytesMaximum)
  }

  /// Empty for none.
  func publicKey(_ key: PublicKey?) -> UnsafeMutablePointer<CChar> { name(key?.text ?? "") }

  func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    let copy: UnsafeMutablePointer<UInt8> = allocate(bytes.count)
    copy.update(from: bytes, count: bytes.count)
    return ProtobufCBinaryData(len: bytes.count, data: copy)
  }

  /// A repeated field; what is beyond its cap is left out.
  func list<Value, Message>(
    _ values: some Collection<Value>, _ convert: (Value) -> UnsafeMutablePointer<Message>
  ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Message>?>) {
    let values = values.prefix(WireCaps.elementsMaximum)
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<Message>?> = allocate(values.count)
    for (index, value) in values.enumerated() {
      (pointers + index).initialize(to: convert(value))
    }
    return (values.count, pointers)
  }

  func enumerations<Value>(_ values: [Value]) -> (Int, UnsafeMutablePointer<Value>) {
    let values = Array(values.prefix(WireCaps.elementsMaximum))
    let copy: UnsafeMutablePointer<Value> = allocate(values.count)
    copy.update(from: values, count: values.count)
    return (values.count, copy)
  }

  func numbers<Number: FixedWidthInteger>(
    _ values: [Number]
  ) -> (Int, UnsafeMutablePointer<Number>) {
    let values = Array(values.prefix(WireCaps.elementsMaximum))
    let copy: UnsafeMutablePointer<Number> = allocate(values.count)
    copy.update(from: values, count: values.count)
    return (values.count, copy)
  }

  /// The bytes of a message whose parts this arena owns.
  func packed<Message>(_ message: UnsafeMutablePointer<Message>) -> [UInt8] {
    let base = UnsafeRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
    let count = protobuf_c_message_get_packed_size(base)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      written = protobuf_c_message_pack(base, buffer.baseAddress)
    }
  }
}

/// Numbers as the wire has them. The core keeps them in range; what isn't is clamped, so that
/// sending never fails.
func wire32(_ value: Int) -> UInt32 { UInt32(clamping: value) }
func wire64(_ value: Int) -> UInt64 { UInt64(clamping: value) }

/// Seconds since 1970; 0 for none.
func wireTime(_ value: Double?) -> Double {
  guard let value, value.isFinite else { return 0 }
  return min(max(0, value), WireCaps.timeOfDayMaximum)
}
