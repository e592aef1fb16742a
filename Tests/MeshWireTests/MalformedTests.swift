import MeshCore
import MeshWire
import Testing

extension WireTests {
  @Suite struct MalformedTests {
    @Test("every beginning of a message decodes or fails with a typed error")
    func prefixes() {
      for (kind, bytes) in validFrames where bytes.count <= 4_096 {
        for count in 0..<bytes.count { _ = kind.error(Array(bytes[..<count])) }
      }
      #expect(WireMemory.heldBytes == 0)
    }

    @Test("every message with one bit flipped decodes or fails with a typed error")
    func flips() {
      for (kind, bytes) in validFrames where bytes.count <= 4_096 {
        var damaged = bytes
        for bit in 0..<(8 * bytes.count) {
          damaged[bit / 8] ^= 1 << (bit % 8)
          _ = kind.error(damaged)
          damaged[bit / 8] ^= 1 << (bit % 8)
        }
      }
      #expect(WireMemory.heldBytes == 0)
    }

    @Test("nothing, and messages of no known kind")
    func empty() {
      #expect(Kind.control.error([]) == .unknownVersion(0))
      #expect(Kind.control.error(Writer.version) == .unknownKind)
      #expect(Kind.control.error(Writer.version + Writer.bytes(99, [])) == .unknownKind)
      for other in [0, protocolVersion - 1, protocolVersion + 1] {
        let beat = Writer.number(1, UInt64(other)) + Writer.bytes(22, [])
        #expect(Kind.control.error(beat) == .unknownVersion(other))
      }
      #expect(Kind.data.error(Writer.version) == .unknownKind)
      for kind in [Kind.tilePart, .softmaxState, .chunk] {
        #expect(kind.error([]) == .missingField("payload"))
      }
    }

    @Test("wire that protobuf doesn't allow")
    func wire() {
      let bad: [[UInt8]] = [
        [0], [0x02, 0], Writer.tag(1 << 29, 0) + [0], Writer.tag(1 << 60, 0) + [0],
        Writer.tag(7, 3), Writer.tag(7, 4), Writer.tag(7, 6), Writer.tag(7, 7),
        [0x08] + [UInt8](repeating: 0xFF, count: 10), [0x08] + [UInt8](repeating: 0x80, count: 11),
        Writer.tag(30, 2) + Writer.varint(1 << 31), Writer.tag(30, 2) + Writer.varint(.max),
        Writer.tag(99, 2) + Writer.varint(1 << 63), Writer.tag(2, 1) + [1, 2, 3],
        // A number where a message belongs, and the other way round.
        Writer.number(30, 5), Writer.bytes(1, [1]), Writer.number(2, 5),
        // A version beyond 32 bits.
        Writer.number(1, 1 << 32 | UInt64(protocolVersion)),
      ]
      let beat = ControlFrame.coordinator(.beat(term: 1)).encode()
      for bytes in bad {
        #expect(Kind.control.error(bytes) != nil)
        #expect(Kind.control.error(beat + bytes) != nil)
      }
    }

    @Test("a field that occurs twice, and two members of a oneof, are refused")
    func duplicates() {
      for (kind, bytes) in validFrames {
        for field in fields(of: bytes) { #expect(kind.error(bytes + field) != nil) }
      }
      let beat = ControlFrame.coordinator(.beat(term: 1)).encode()
      #expect(Kind.control.error(beat + Writer.bytes(13, [])) != nil)
      let many = (0..<100_000).flatMap { _ in Writer.version }
      #expect(Kind.control.error(many) == .malformed("version occurs more than 1 times"))
    }

    private func welcome(_ endpoint: [UInt8]) -> [UInt8] {
      Writer.version + Writer.bytes(20, Writer.bytes(2, endpoint))
    }

    @Test("text that is not UTF-8, too long or contains NUL is refused")
    func text() {
      #expect(Kind.control.error(welcome(Array("ipc:///x".utf8))) == nil)
      for bad: [UInt8] in [
        [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [97, 0, 98],
        [UInt8](repeating: 97, count: 256), [UInt8](repeating: 97, count: 1_025),
      ] {
        #expect(Kind.control.error(welcome(bad)) != nil)
      }
    }

    @Test("numbers outside their range are refused")
    func ranges() {
      let refused: [DataFrame] = [
        .part(PartHeader(job: Samples.job, planTag: 0, tile: .keyValue(262_144), part: 0)),
        .part(PartHeader(job: Samples.job, planTag: 0, tile: .query(262_144), part: 0)),
        .part(PartHeader(job: Samples.job, planTag: 0, tile: .query(0), part: 65_536)),
        .pull(
          Pull(
            job: Samples.job, planTag: 0, tile: .query(0), firstPart: 0, creditBytes: .max,
            worker: Samples.worker, vrank: VRank(0), epoch: Samples.epoch)),
        .receipt(
          ResultReceipt(
            job: Samples.job, vrank: VRank(256), epoch: Samples.epoch, message: 0, status: .ok)),
        .reply(Samples.request, .success(.uploaded(UploadReply(received: .max)))),
      ]
      for frame in refused {
        guard case .outOfRange = Kind.data.error(frame.encode()) else {
          Issue.record("taken: \(frame)")
          continue
        }
      }
    }

    @Test("doubles that are no time are refused", arguments: [Double.nan, .infinity, -1])
    func doubles(value: Double) {
      var traffic = Traffic()
      traffic.waitSeconds = value
      let heartbeat = WorkerMessage.Heartbeat(
        job: nil, term: 0, progress: [], traffic: traffic, residentBytes: 0)
      let frame = ControlFrame.worker(.heartbeat(heartbeat), from: Samples.worker)
      guard case .outOfRange = Kind.control.error(frame.encode()) else {
        Issue.record("\(value) was taken")
        return
      }
    }

    @Test("a message without its worker is refused")
    func sender() {
      let nobody = WorkerID(incarnation: 0)
      #expect(
        Kind.control.error(ControlFrame.worker(.goodbye, from: nobody).encode())
          == .missingField("sender"))
    }

    @Test("a status that isn't known is an unknown error")
    func unknownStatus() throws {
      let reply = Writer.fixed64(1, 1) + Writer.number(3, 200) + Writer.bytes(4, [97])
      let frame = try decodeControl(Writer.version + Writer.bytes(31, reply))
      #expect(
        frame == .reply(RequestID(high: 1, low: 0), .failure(CallFailure(.unknown, "a"))))
    }
  }
}
