import MeshChaos
import MeshCore
import Synchronization
import Testing

/// Over real sockets: what passes, what doesn't, and how connections end. No test relies on being
/// fast: what mustn't happen would happen before something that the test waits for.
@Suite struct FaultProxyTests {
  private let listener: Listener
  private let proxy: FaultProxy
  /// A connection through the proxy, and its other end.
  private let client: Connection
  private let server: Connection

  init() throws {
    listener = try Listener()
    proxy = try FaultProxy(to: listener.port, seed: 7)
    client = try Connection(to: proxy.port)
    server = try listener.accept()
  }

  private static func noise(_ count: Int) -> [UInt8] {
    var random = SplitMix64(seed: 1)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  /// Bytes go there and back, one message after the other.
  private func expectEchoes(_ count: Int = 3_000, _ connection: Connection? = nil) throws {
    let bytes = Self.noise(count)
    try (connection ?? client).send(bytes)
    #expect(try server.receive(count) == bytes)
    try server.send(bytes)
    #expect(try (connection ?? client).receive(count) == bytes)
  }

  @Test func passesBytesOn() throws {
    try expectEchoes(1 << 16)
    #expect(proxy.counters.accepted == 1)
    client.finish()
    #expect(try server.receiveEnd() == ([], .closed))
    try server.send([1, 2, 3])
    server.finish()
    #expect(try client.receiveEnd() == ([1, 2, 3], .closed))
    try eventually("the end of the connection") { proxy.counters.open == 0 }
    #expect(proxy.counters.bytesToTarget == 1 << 16)
    #expect(proxy.counters.bytesToSource == 1 << 16 + 3)
  }

  /// More than it may hold: the sender waits, and nothing is lost.
  @Test func holdsNoMoreThanItsBound() throws {
    proxy.set(.blackHole)
    let bytes = Self.noise(ProxyStream.bytesMaximum + 8 << 20)
    let sending = Mutex<(any Error)?>(nil)
    let thread = BlockingThread { [client] in
      do { try client.send(bytes) } catch { sending.withLock { $0 = error } }
    }
    proxy.set(.delay(.milliseconds(1)))
    #expect(try server.receive(bytes.count) == bytes)
    thread.join()
    #expect(sending.withLock { $0 } == nil)
  }

  @Test(arguments: [
    LinkFaults.delay(.milliseconds(20), jitter: .milliseconds(20)),
    .bandwidth(bytesPerSecond: 100_000), .slice(bytesMaximum: 3),
  ])
  func changesNothingButTime(faults: LinkFaults) throws {
    proxy.set(faults)
    try expectEchoes()
  }

  @Test func delaysBothWays() throws {
    proxy.set(.delay(.milliseconds(30)))
    let time = try ContinuousClock().measure { try expectEchoes(1) }
    #expect(time >= .milliseconds(60))
  }

  @Test func limitsBandwidth() throws {
    proxy.set(.bandwidth(bytesPerSecond: 200_000))
    let bytes = Self.noise(20_000)
    let time = try ContinuousClock().measure {
      try client.send(bytes)
      #expect(try server.receive(bytes.count) == bytes)
    }
    // The first piece of a hundredth of a second is free.
    #expect(time >= .milliseconds(80))
  }

  @Test func stallsOneDirection() throws {
    proxy.set(.stallToTarget)
    try client.send([1])
    try server.send([2])
    #expect(try client.receive(1) == [2])
    proxy.set(.stallToSource)
    #expect(try server.receive(1) == [1])
    try server.send([3])
    try client.send([4])
    #expect(try server.receive(1) == [4])
    proxy.set(.pass)
    #expect(try client.receive(1) == [3])
  }

  /// A sender that dies behind a black hole dies unseen.
  @Test func blackHoleSwallowsTheEnd() throws {
    proxy.set(.blackHole)
    try client.send([1])
    client.finish()
    let other = try Connection(to: proxy.port)
    try eventually("the other connection") { proxy.counters.accepted == 2 }
    #expect(!listener.isWaitedFor)
    #expect(proxy.counters.bytesToTarget == 0)
    proxy.set(.pass)
    #expect(try server.receiveEnd() == ([1], .closed))
    let behind = try listener.accept()
    try other.send([5])
    #expect(try behind.receive(1) == [5])
  }

  @Test func refusesNewConnectionsOnly() throws {
    proxy.set(.refuse)
    #expect(throws: HarnessError.self) { try Connection(to: proxy.port) }
    try expectEchoes()
    proxy.set(.pass)
    let other = try Connection(to: proxy.port)
    try other.send([9])
    #expect(try listener.accept().receive(1) == [9])
  }

  @Test func resetsBothEnds() throws {
    try expectEchoes()
    proxy.reset()
    #expect(try client.receiveEnd() == ([], .reset))
    #expect(try server.receiveEnd() == ([], .reset))
    #expect(proxy.counters.resets == 1)
  }

  /// In the middle of whatever they are.
  @Test(arguments: [1, 10, 1_000]) func closesAfterBytes(limit: Int) throws {
    try expectEchoes()
    var faults = LinkFaults()
    faults.toTarget.bytesUntilClose = limit
    proxy.set(faults)
    let bytes = Self.noise(3_000)
    try client.send(bytes)
    let (received, _) = try server.receiveEnd()
    #expect(received == Array(bytes[..<limit]))
    _ = try client.receiveEnd()
  }

  @Test func flipsOneBitInEachWindow() throws {
    proxy.set(.corrupt(oneBitIn: 100))
    let bytes = Self.noise(2_000)
    try client.send(bytes)
    let received = try server.receive(bytes.count)
    for start in stride(from: 0, to: bytes.count, by: 100) {
      let flipped = (start..<start + 100).reduce(0) {
        $0 + (bytes[$1] ^ received[$1]).nonzeroBitCount
      }
      #expect(flipped == 1)
    }
    #expect(proxy.counters.bitsFlipped == 20)
  }

  @Test func faultsOfOneSender() throws {
    let names = Mutex<[Int: String]>([:])
    let proxy = try FaultProxy(to: listener.port, seed: 1) { port in
      names.withLock { $0[port] }
    }
    let pairs = try ["a", "b"].map { name in
      let client = try Connection(to: proxy.port) { port in names.withLock { $0[port] = name } }
      return (client: client, server: try listener.accept())
    }
    proxy.set(.blackHole, from: "a")
    try pairs[0].client.send([1])
    try pairs[1].client.send([2])
    #expect(try pairs[1].server.receive(1) == [2])
    #expect(proxy.counters.bytesToTarget == 1)
    // Those who have faults of their own take no notice of the others'.
    proxy.set(.pass, from: "b")
    proxy.set(.blackHole)
    try pairs[1].client.send([3])
    #expect(try pairs[1].server.receive(1) == [3])
    proxy.set(.pass, from: "a")
    #expect(try pairs[0].server.receive(1) == [1])
    proxy.reset(from: "a")
    #expect(try pairs[0].client.receiveEnd().ending == .reset)
    try pairs[1].server.send([4])
    #expect(try pairs[1].client.receive(1) == [4])
  }

  @Test func flappingLinkDeliversEverything() throws {
    proxy.set(.flapping(.blackHole, period: .milliseconds(20)))
    for _ in 0..<20 { try expectEchoes(100) }
  }

  @Test func targetThatIsNotThere() throws {
    let port = try Listener().port
    let proxy = try FaultProxy(to: port, seed: 1)
    let client = try Connection(to: proxy.port)
    #expect(try client.receiveEnd().ending == .reset)
  }
}
