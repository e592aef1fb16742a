import MeshChaos
import Testing

/// One direction without sockets: times are arguments.
@Suite struct ProxyStreamTests {
  private func taken(_ stream: inout ProxyStream, _ faults: DirectionFaults, at now: Duration)
    -> [UInt8]
  {
    var bytes: [UInt8] = []
    while case .now(let count) = stream.due(under: faults, at: now) {
      _ = stream.send(count, under: faults, at: now) {
        bytes += Array($0)
        return $0.count
      }
    }
    return bytes
  }

  @Test func bytesWaitForTheirDelay() {
    var stream = ProxyStream(seed: 1)
    var faults = DirectionFaults()
    faults.delay = .milliseconds(50)
    stream.take([1, 2], under: faults, at: .seconds(1))
    #expect(stream.due(under: faults, at: .seconds(1)) == .at(.milliseconds(1_050)))
    #expect(taken(&stream, faults, at: .milliseconds(1_050)) == [1, 2])
    #expect(stream.buffered == 0)
    #expect(stream.due(under: faults, at: .seconds(9)) == .never)
  }

  @Test func jitterKeepsTheOrder() {
    var stream = ProxyStream(seed: 3)
    var faults = DirectionFaults()
    faults.jitter = .milliseconds(100)
    for byte in 0..<UInt8(50) {
      stream.take([byte], under: faults, at: .milliseconds(Int(byte)))
    }
    var bytes: [UInt8] = []
    for now in 0..<200 { bytes += taken(&stream, faults, at: .milliseconds(now)) }
    #expect(bytes == Array(0..<50))
  }

  @Test func rateIsKept() {
    var stream = ProxyStream(seed: 1)
    var faults = DirectionFaults()
    faults.bytesPerSecond = 1_000
    stream.take(ArraySlice([UInt8](repeating: 7, count: 500)), under: faults, at: .zero)
    var count = 0
    for now in 0..<100 { count += taken(&stream, faults, at: .milliseconds(now)).count }
    #expect(count == 100)
  }

  @Test func slicesAreSmall() {
    var stream = ProxyStream(seed: 1)
    var faults = DirectionFaults()
    faults.sliceBytesMaximum = 3
    stream.take(ArraySlice([UInt8](repeating: 7, count: 300)), under: faults, at: .zero)
    var sizes: Set<Int> = []
    while case .now(let count) = stream.due(under: faults, at: .zero) {
      sizes.insert(count)
      _ = stream.send(count, under: faults, at: .zero) { $0.count }
    }
    #expect(sizes == [1, 2, 3])
  }

  @Test func stalledBytesStay() {
    var stream = ProxyStream(seed: 1)
    var faults = DirectionFaults()
    faults.isStalled = true
    stream.take([1], under: faults, at: .zero)
    stream.isEnded = true
    #expect(stream.due(under: faults, at: .seconds(99)) == .never)
    #expect(!stream.isFinished)
    #expect(taken(&stream, DirectionFaults(), at: .seconds(99)) == [1])
    #expect(stream.isFinished)
  }

  @Test func limitCountsFromTheChangeOfFaults() {
    var stream = ProxyStream(seed: 1)
    var faults = DirectionFaults()
    stream.take([1, 2, 3, 4, 5, 6], under: faults, at: .zero)
    _ = stream.send(2, under: faults, at: .zero) { $0.count }
    stream.beginFaults()
    faults.bytesUntilClose = 3
    #expect(!stream.isSpent(under: faults))
    #expect(taken(&stream, faults, at: .zero) == [3, 4, 5])
    #expect(stream.isSpent(under: faults))
  }

  @Test(arguments: [UInt64(1), 2, 3]) func sameSeedFlipsTheSameBits(seed: UInt64) {
    var faults = DirectionFaults()
    faults.corruptionSpacing = 64
    let zeros = [UInt8](repeating: 0, count: 1_000)
    let runs = [1_000, 7].map { piece in
      var stream = ProxyStream(seed: seed)
      var bytes: [UInt8] = []
      for start in stride(from: 0, to: zeros.count, by: piece) {
        // Pieces of any size: the windows don't depend on them.
        stream.take(zeros[start..<min(start + piece, 1_000)], under: faults, at: .zero)
      }
      bytes += taken(&stream, faults, at: .zero)
      return bytes
    }
    #expect(runs[0] == runs[1])
    #expect(runs[0].reduce(0) { $0 + $1.nonzeroBitCount } >= 15)
  }

  @Test func scheduleGoesRound() {
    let schedule = ProxySchedule.flapping(.blackHole, period: .seconds(1))
    for (milliseconds, faults, end) in [
      (0, LinkFaults.blackHole, 500), (499, .blackHole, 500), (500, .pass, 1_000),
      (999, .pass, 1_000), (1_000, .blackHole, 1_500), (7_250, .blackHole, 7_500),
    ] {
      let found = schedule.faults(at: .milliseconds(milliseconds))
      #expect(found.faults == faults)
      #expect(found.end == .milliseconds(end))
    }
    #expect(ProxySchedule.always(.refuse).faults(at: .seconds(5)) == (.refuse, nil))
  }
}
