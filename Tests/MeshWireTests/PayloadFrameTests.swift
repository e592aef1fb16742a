import Checksums
import ElementTypes
import MeshCore
import MeshWire
import Testing

extension WireTests {
  @Suite struct PayloadFrameTests {
    private func check(_ message: some PayloadMessage) throws {
      let (sent, frame) = Samples.frame(message)
      try frame.withUnsafeBytes { bytes in
        let decoded = try roundTrip(sent, bytes)
        #expect(decoded.payload(in: bytes).count == message.payloadBytes)
        #expect(decoded.payload(in: bytes).first == 0)
        #expect(decoded.payloadRange.upperBound == frame.count)
        // Copying a payload whose checksum is known makes the same frame.
        var copy = [UInt8](repeating: 0xAA, count: frame.count)
        copy.withUnsafeMutableBytes { sent.write(decoded.payload(in: bytes), to: $0) }
        #expect(copy == frame)
      }
    }

    private func roundTrip<Message: PayloadMessage>(
      _ sent: Message, _ bytes: UnsafeRawBufferPointer
    ) throws -> PayloadFrame<Message> {
      let decoded = try PayloadFrame<Message>(decoding: bytes)
      try decoded.verify(in: bytes)
      #expect(decoded.message == sent)
      return decoded
    }

    @Test("tile parts of every type", arguments: ElementType.allCases, TileTensor.allCases)
    func tileParts(element: ElementType, tensor: TileTensor) throws {
      try check(Samples.tilePart(tensor, element: element))
    }

    @Test("states of every kind", arguments: SoftmaxState.Kind.allCases)
    func softmaxState(kind: SoftmaxState.Kind) throws {
      try check(Samples.softmaxState(kind))
    }

    @Test("dK and dV are twice as wide as dQ, and nothing else is of their tiles")
    func gradients() throws {
      let tile = TileID.gradient(2)
      let rows = Samples.softmaxState(.gradients)
      let keys = Samples.softmaxState(.gradients, tile: tile)
      try check(keys)
      #expect(try #require(keys.payloadBytes) == 2 * (try #require(rows.payloadBytes)))
      for kind in [SoftmaxState.Kind.running, .normalised] {
        let (_, frame) = Samples.frame(Samples.softmaxState(kind, tile: tile))
        frame.withUnsafeBytes { bytes in
          _ = #expect(throws: WireError.self) { try PayloadFrame<SoftmaxState>(decoding: bytes) }
        }
      }
    }

    @Test("every message of a running state fits a payload frame", arguments: [1, 5, 64, 255, 256])
    func states(headDimension: Int) throws {
      var spec = Samples.largestSpec
      (spec.headDimension, spec.queryTokens) = (headDimension, 65)
      let plan = Plan(job: spec, vrankCount: 1)
      for (tile, part) in [(0, 0), (1, 0), (0, plan.resultPartCount - 1)] {
        let state = SoftmaxState(
          job: Samples.job, planTag: .max, vrank: VRank(255), epoch: Samples.epochs[1],
          next: 65_536, tile: .query(tile), part: part,
          heads: plan.resultHeads(queryTile: tile, part: part),
          rows: plan.queryRows(of: tile), headDimension: headDimension, kind: .running,
          checksum: 0)
        #expect(state.payloadBytes == plan.stateBytes(queryTile: tile, part: part))
        #expect(try #require(state.frameBytes) <= Limits.dataFrameBytesMaximum)
        try check(state)
      }
    }

    @Test("chunks from one byte to a mebibyte", arguments: [1, 127, 128, 16_384, 1 << 20])
    func chunks(count: Int) throws {
      try check(Chunk(offset: 1 << 60, count: count, checksum: 0))
    }

    @Test("the largest tile part fits, a larger one doesn't travel")
    func largest() throws {
      var part = Samples.tilePart(.keyValue, element: .float32)
      part.heads = 0..<2
      part.tokens = 0..<256
      part.headDimension = 256
      part.rowBytes = 2_048
      #expect(part.payloadBytes == Limits.payloadBytesMaximum)
      try check(part)
      part.heads = 0..<3
      #expect(part.frameBytes == nil)
      part.rowBytes = .max
      #expect(part.frameBytes == nil)
    }

    @Test("a checksum of zero is written like any other")
    func zeroChecksum() throws {
      let message = Chunk(offset: 0, count: 3, checksum: 0)
      var other = message
      other.checksum = 1
      #expect(message.frameBytes == other.frameBytes)
      var frame = [UInt8](repeating: 0, count: message.frameBytes ?? 0)
      let payload: [UInt8] = [1, 2, 3]
      frame.withUnsafeMutableBytes { frame in
        payload.withUnsafeBytes { message.write($0, to: frame) }
      }
      #expect(Kind.chunk.error(frame) == .checksumMismatch)
    }

    @Test("each flipped bit of a payload is found")
    func flippedPayload() throws {
      let (message, frame) = Samples.frame(Samples.tilePart())
      let start = frame.count - (message.payloadBytes ?? 0)
      for bit in (8 * start)..<(8 * frame.count) {
        var damaged = frame
        damaged[bit / 8] ^= 1 << (bit % 8)
        #expect(Kind.tilePart.error(damaged) == .checksumMismatch)
      }
    }

    @Test("the payload may come first, but once")
    func order() throws {
      let (sent, frame) = Samples.frame(Samples.softmaxState(.running))
      let parts = fields(of: frame)
      let payload = try #require(parts.last)
      let rest = parts.dropLast().reversed().joined()
      for order in [payload + rest, parts[0] + payload + parts[1..<(parts.count - 1)].joined()] {
        try order.withUnsafeBytes { _ = try roundTrip(sent, $0) }
      }
      #expect(Kind.softmaxState.error(frame + payload) != nil)
      #expect(Kind.softmaxState.error(Array(rest)) == .missingField("payload"))
    }

    @Test("a payload must be as long as the fields say")
    func wrongLength() {
      let (_, frame) = Samples.frame(Samples.tilePart())
      let head = Array(fields(of: frame).dropLast().joined())
      for count in [0, 1, 419, 421, 1 << 20] {
        let payload = [UInt8](repeating: 0, count: count)
        let error = Kind.tilePart.error(head + Writer.bytes(15, payload))
        #expect(error == .outOfRange("a payload of \(count) bytes"))
      }
    }

    @Test("frames beyond their caps are refused")
    func caps() {
      let (_, frame) = Samples.frame(Chunk(offset: 0, count: 9, checksum: 0))
      let limit = Limits.dataFrameBytesMaximum
      #expect(
        Kind.chunk.error([UInt8](repeating: 0, count: limit + 1))
          == .tooLarge(bytes: limit + 1, limit: limit))
      let long = Writer.bytes(15, [UInt8](repeating: 0, count: (1 << 20) + 1))
      #expect(Kind.chunk.error(long) == .tooLarge(bytes: (1 << 20) + 1, limit: 1 << 20))
      let padded = frame + Writer.bytes(77, [UInt8](repeating: 0, count: 5_000))
      guard case .tooLarge = Kind.chunk.error(padded) else {
        Issue.record("fields of 5,000 bytes were taken")
        return
      }
    }
  }
}
