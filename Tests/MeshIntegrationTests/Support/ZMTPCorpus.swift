/// What somebody sends to a socket of the mesh who doesn't mean well, or speaks another protocol.
struct ZMTPAttack {
  let name: String
  let bytes: [UInt8]
  /// How many connections do it at once.
  var connections = 1
  /// How often the bytes are sent on each.
  var repetitions = 1

  /// A greeting of ZMTP 3.1 for a mechanism.
  private static func greeting(_ mechanism: String, minor: UInt8 = 1) -> [UInt8] {
    let name = Array(mechanism.utf8) + [UInt8](repeating: 0, count: 20 - mechanism.utf8.count)
    return [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, minor] + name
      + [UInt8](repeating: 0, count: 32)
  }

  /// A command: its flags, its length and its body.
  private static func command(_ name: String, _ body: [UInt8]) -> [UInt8] {
    let content = [UInt8(name.utf8.count)] + Array(name.utf8) + body
    return content.count < 256
      ? [0x04, UInt8(content.count)] + content : [0x06] + length(content.count) + content
  }

  private static func length(_ count: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(count).bigEndian) { Array($0) }
  }

  private static func property(_ name: String, _ value: String) -> [UInt8] {
    [UInt8(name.utf8.count)] + Array(name.utf8)
      + withUnsafeBytes(of: UInt32(value.utf8.count).bigEndian) { Array($0) } + Array(value.utf8)
  }

  static let all: [ZMTPAttack] = {
    let curve = greeting("CURVE")
    let hello = command("HELLO", [1, 0] + [UInt8](repeating: 0xA5, count: 192))
    let largest = withUnsafeBytes(of: UInt64.max.bigEndian) { Array($0) }
    let properties = (0..<4_096).flatMap { property("p\($0)", "v") }
    return [
      ZMTPAttack(name: "nothing", bytes: [], connections: 50),
      ZMTPAttack(name: "half a greeting", bytes: Array(curve.prefix(7)), connections: 50),
      ZMTPAttack(name: "HTTP", bytes: Array("GET / HTTP/1.1\r\nHost: mesh\r\n\r\n".utf8)),
      ZMTPAttack(
        name: "TLS", bytes: [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3] + [UInt8](0...200)),
      ZMTPAttack(name: "ZMTP 1", bytes: [1, 0, 2, 0, 0x41]),
      ZMTPAttack(
        name: "ZMTP 2", bytes: [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1, 5, 0, 0, 0, 1, 0x41]),
      ZMTPAttack(name: "no security", bytes: greeting("NULL") + command("READY", [])),
      ZMTPAttack(name: "a password", bytes: greeting("PLAIN") + command("HELLO", [1, 65, 1, 66])),
      ZMTPAttack(name: "Kerberos", bytes: greeting("GSSAPI")),
      ZMTPAttack(name: "no mechanism", bytes: greeting("")),
      ZMTPAttack(name: "a hello that isn't", bytes: curve + hello, connections: 20),
      ZMTPAttack(name: "the hello again and again", bytes: curve + hello, repetitions: 200),
      ZMTPAttack(name: "ready before hello", bytes: curve + command("READY", properties)),
      ZMTPAttack(
        name: "initiate before hello",
        bytes: curve + command("INITIATE", [UInt8](repeating: 7, count: 300))),
      ZMTPAttack(name: "a ping of five bytes", bytes: curve + command("PING", [])),
      ZMTPAttack(
        name: "pings", bytes: curve + (0..<10_000).flatMap { _ in command("PING", [0, 1]) }),
      ZMTPAttack(name: "a command beyond all lengths", bytes: curve + [0x06] + largest),
      ZMTPAttack(
        name: "a command of 2⁶³ − 1 bytes", bytes: curve + [0x06, 0x7F] + largest.dropFirst()),
      ZMTPAttack(
        name: "a gibibyte is announced", bytes: curve + [0x02] + length(1 << 30) + [1, 2, 3],
        connections: 50),
      ZMTPAttack(
        name: "frames without end",
        bytes: curve + (0..<100_000).flatMap { _ in [0x01, 1, 0] as [UInt8] }),
      ZMTPAttack(name: "empty frames", bytes: curve + [UInt8](repeating: 0, count: 1 << 20)),
      ZMTPAttack(
        name: "reserved flags", bytes: curve + [0xFF, 0xFF] + [UInt8](repeating: 0xFF, count: 300)),
      ZMTPAttack(
        name: "noise", bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 5) }),
    ]
  }()
}
