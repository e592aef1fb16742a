internal import CMeshWire
internal import MeshCore

/// Scans, unpacks and converts one frame: the only way from bytes to a message.
///
/// - Parameter convert: checks the rules of the protocol and copies into Swift values. The message
///   is freed when it returns, whatever happens.
func unpack<Message, Value>(
  _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
  bytesMaximum: Int, _ convert: (Message) throws(WireError) -> Value
) throws(WireError) -> Value {
  guard bytes.count <= bytesMaximum else {
    throw .tooLarge(bytes: bytes.count, limit: bytesMaximum)
  }
  _ = try WireScan(bytes, of: descriptor)
  let message = attnmesh_wire_unpack(
    descriptor, bytes.baseAddress, bytes.count, WireCaps.budget(bytes.count))
  return try consume(message, convert)
}

/// The second half of `unpack`, for bytes that were scanned.
func unpackScanned<Message, Value>(
  _ bytes: [UInt8], _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
  _ convert: (Message) throws(WireError) -> Value
) throws(WireError) -> Value {
  let message = attnmesh_wire_unpack(
    descriptor, bytes, bytes.count, WireCaps.budget(bytes.count))
  return try consume(message, convert)
}

private func consume<Message, Value>(
  _ message: UnsafeMutablePointer<ProtobufCMessage>?,
  _ convert: (Message) throws(WireError) -> Value
) throws(WireError) -> Value {
  guard let message else {
    throw .malformed("not a message, or one beyond its budget of memory")
  }
  defer { attnmesh_wire_free(message) }
  return try convert(
    UnsafeMutableRawPointer(message).assumingMemoryBound(to: Message.self).pointee)
}

// MARK: Rules of single fields

/// A sub-message that has to be there.
func required<Message>(
  _ pointer: UnsafeMutablePointer<Message>?, _ field: StaticString
) throws(WireError) -> Message {
  guard let pointer else { throw .missingField("\(field)") }
  return pointer.pointee
}

func number(
  _ value: some BinaryInteger, in range: ClosedRange<Int>, _ field: StaticString
) throws(WireError) -> Int {
  guard let number = Int(exactly: value), range.contains(number) else {
    throw .outOfRange("\(field) is \(value)")
  }
  return number
}

/// A count of K/V tiles.
func tileCount(_ value: UInt32, _ field: StaticString) throws(WireError) -> Int {
  try number(value, in: 0...WireCaps.stepsMaximum, field)
}

func byteCount(_ value: UInt64, _ field: StaticString) throws(WireError) -> Int {
  try number(value, in: 0...WireCaps.bytesMaximum, field)
}

func seconds(
  _ value: Double, _ field: StaticString, maximum: Double = .greatestFiniteMagnitude
) throws(WireError) -> Double {
  // NaN is in no range.
  guard (0...maximum).contains(value) else { throw .outOfRange("\(field) is \(value)") }
  return value
}

/// A time before or after something.
func signedSeconds(_ value: Double, _ field: StaticString) throws(WireError) -> Double {
  guard value.isFinite else { throw .outOfRange("\(field) is \(value)") }
  return value
}

/// Seconds since 1970; nil for 0, which says that there is no such time.
func optionalTime(_ value: Double, _ field: StaticString) throws(WireError) -> Double? {
  let time = try seconds(value, field, maximum: WireCaps.timeOfDayMaximum)
  return time == 0 ? nil : time
}

func range(
  _ begin: UInt32, _ end: UInt32, maximum: Int, _ field: StaticString
) throws(WireError) -> Range<Int> {
  let (begin, end) = (Int(begin), Int(end))
  guard begin < end, end <= maximum else { throw .outOfRange("\(field) are \(begin) to \(end)") }
  return begin..<end
}

func enumeration<Value: RawRepresentable>(
  _ raw: UInt32, _ field: StaticString
) throws(WireError) -> Value where Value.RawValue == UInt8 {
  guard let byte = UInt8(exactly: raw), let value = Value(rawValue: byte) else {
    throw .outOfRange("\(field) is \(raw)")
  }
  return value
}

func text(
  _ pointer: UnsafeMutablePointer<CChar>?, maximum: Int, _ field: StaticString
) throws(WireError) -> String {
  guard let pointer else { return "" }
  guard let text = String(validatingCString: pointer) else {
    throw .malformed("\(field) is not UTF-8")
  }
  guard text.utf8.count <= maximum else {
    throw .outOfRange("\(field) has \(text.utf8.count) bytes")
  }
  return text
}

func name(
  _ pointer: UnsafeMutablePointer<CChar>?, _ field: StaticString
) throws(WireError) -> String {
  try text(pointer, maximum: Limits.nameBytesMaximum, field)
}

func endpoint(
  _ pointer: UnsafeMutablePointer<CChar>?, _ field: StaticString
) throws(WireError) -> String {
  try text(pointer, maximum: WireCaps.endpointBytesMaximum, field)
}

/// A key, or none where the field is empty.
func publicKey(
  _ pointer: UnsafeMutablePointer<CChar>?, _ field: StaticString
) throws(WireError) -> PublicKey? {
  let text = try name(pointer, field)
  if text.isEmpty { return nil }
  guard let key = PublicKey(text) else { throw .outOfRange("\(field) is no key") }
  return key
}

/// Converts the elements of a repeated field.
func list<Message, Value>(
  _ count: Int, _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?,
  _ convert: (Message) throws(WireError) -> Value
) throws(WireError) -> [Value] {
  guard let pointers else { return [] }
  var values: [Value] = []
  values.reserveCapacity(count)
  for index in 0..<count { values.append(try convert(try required(pointers[index], "element"))) }
  return values
}
