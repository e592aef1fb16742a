import MeshCore
import MeshWire
import Testing

extension WireTests {
  /// What may be wrong in messages of copies and recovery.
  @Suite struct RecoveryTests {
    private func isOutOfRange(_ frame: DataFrame) -> Bool {
      guard case .outOfRange = Kind.data.error(frame.encode()) else { return false }
      return true
    }

    private func isOutOfRange(_ frame: ControlFrame) -> Bool { isOutOfRange(frame.encode()) }

    private func isOutOfRange(_ bytes: [UInt8]) -> Bool {
      guard case .outOfRange = Kind.control.error(bytes) else { return false }
      return true
    }

    @Test("a message of a copy that no copy has is refused")
    func copies() {
      for (next, first, message) in [
        (65_537, 0, 0), (-1 + 1 << 32, 0, 0), (0, 1, 0), (0, 8, 7), (0, 0, Int(Int32.max)),
        (0, .max, .max), (0, .max, 0),
      ] {
        var header = Samples.copyHeader
        (header.next, header.first, header.message) = (next, first, message)
        #expect(isOutOfRange(.copy(header)), "\(header)")
        #expect(isOutOfRange(.statePart(header)), "\(header)")
      }
      var header = Samples.copyHeader
      header.vrank = VRank(256)
      #expect(isOutOfRange(.copy(header)))
      let receipt = CopyReceipt(
        job: Samples.job, vrank: VRank(0), epoch: Samples.epoch, next: 65_537, message: 0,
        status: .ok)
      #expect(isOutOfRange(.copyReceipt(receipt)))
      var other = receipt
      (other.next, other.message) = (0, Int(Int32.max))
      #expect(isOutOfRange(.copyReceipt(other)))
      let answer = StateAnswer(
        job: Samples.job, vrank: VRank(0), epoch: Samples.epoch, next: 65_537, count: 1,
        status: .ok)
      #expect(isOutOfRange(.stateAnswer(answer)))
    }

    @Test(
      "a pull of no messages, of too many or of such that don't exist is refused",
      arguments: [0..<0, 5..<5, 0..<257, 1_000..<1_000_000, 0..<Int.max, 2_147_483_640..<(1 << 31)])
    func pulls(messages: Range<Int>) {
      var pull = Samples.statePull
      pull.messages = messages
      #expect(isOutOfRange(.statePull(pull)))
    }

    @Test("a pull that ends before it begins is refused")
    func backwards() {
      let bytes = changing(DataFrame.statePull(Samples.statePull).encode(), at: [18]) {
        fields(of: $0).filter { ![5, 6].contains($0[0] >> 3) }.flatMap(\.self)
          + Writer.number(5, 9) + Writer.number(6, 8)
      }
      #expect(Kind.data.error(bytes) == .outOfRange("messages are 9 to 8"))
    }

    @Test("state messages need their job and epoch")
    func missing() {
      for frame in Samples.stateFrames {
        let bytes = frame.encode()
        let body: UInt64 = frame.body
        #expect(Kind.data.error(dropping(1, of: bytes, at: [body])) == .missingField("job"))
        // Who asks how far a copy is needn't know the epoch.
        guard body != 21 else { continue }
        let epoch: UInt8 = [17, 19, 22].contains(body) ? 3 : 4
        #expect(Kind.data.error(dropping(epoch, of: bytes, at: [body])) == .missingField("epoch"))
      }
    }

    @Test("a heartbeat needs its computation, an assignment its revision")
    func missingControl() {
      let heartbeat = WorkerMessage.Heartbeat(
        job: nil, term: 1, progress: Samples.progress(2), held: Samples.held(1))
      let beat = ControlFrame.worker(.heartbeat(heartbeat), from: Samples.worker).encode()
      #expect(Kind.control.error(dropping(9, of: beat, at: [11])) == .missingField("computation"))
      #expect(Kind.control.error(dropping(2, of: beat, at: [11, 8])) == .missingField("epoch"))
      // A tier that doesn't exist.
      let tier = Writer.bytes(7, Writer.number(1, 5))
      #expect(isOutOfRange(changing(beat, at: [11, 3]) { $0 + tier }))
      let assign = ControlFrame.coordinator(.assign(Samples.assignment(peers: 2), term: 1)).encode()
      #expect(Kind.control.error(dropping(10, of: assign, at: [23])) == .missingField("revision"))
      #expect(isOutOfRange(dropping(3, of: assign, at: [23, 9])))
    }

    @Test("tiles that no plan has are refused", arguments: 0..<5)
    func tiles(field: Int) {
      var progress = WorkerMessage.Progress(
        vrank: VRank(0), epoch: Samples.epoch, next: 0, needed: 0,
        restored: WorkerMessage.Restored(tier: .slot, next: 0))
      var held = Samples.held(1)
      switch field {
      case 0: progress.next = 65_537
      case 1: progress.copied = 65_537
      case 2: progress.durable = .max
      case 3: progress.restored?.next = 65_537
      default: held[0].next = 65_537
      }
      let heartbeat = WorkerMessage.Heartbeat(job: nil, term: 0, progress: [progress], held: held)
      #expect(isOutOfRange(.worker(.heartbeat(heartbeat), from: Samples.worker)))
    }

    @Test("times that are none are refused", arguments: [Double.nan, .infinity, -1, 1.1e9])
    func times(value: Double) {
      var computation = WorkerMessage.Computation()
      computation.slowTileSeconds = value
      let heartbeat = WorkerMessage.Heartbeat(
        job: nil, term: 0, progress: [], computation: computation)
      #expect(isOutOfRange(.worker(.heartbeat(heartbeat), from: Samples.worker)))
      guard value != 1.1e9 else { return }
      for field in 0..<4 {
        var recoveries = Samples.recoveries(1)
        switch field {
        case 0: recoveries[0].detectionSeconds = value
        case 1: recoveries[0].atSeconds = value
        case 2: recoveries[0].restoreSeconds = value
        default: recoveries[0].caughtUpSeconds = value
        }
        let status = Samples.status(ranks: 1, recoveries: recoveries)
        #expect(isOutOfRange(.reply(Samples.request, .success(.status(status)))))
      }
    }

    @Test("statuses of no known kind are refused")
    func kinds() {
      let status = ControlFrame.reply(
        Samples.request, .success(.status(Samples.status(ranks: 1)))
      ).encode()
      #expect(isOutOfRange(dropping(11, of: status, at: [31, 11])))
      let long = changing(status, at: [31, 11, 12, 5]) { _ in [UInt8](repeating: 97, count: 257) }
      #expect(Kind.control.error(long) == .outOfRange("cause has 257 bytes"))
      let workers = ControlFrame.reply(
        Samples.request,
        .success(.workers([Samples.workerStatus(0, name: "w", endpoint: "e", vranks: 0)]))
      ).encode()
      #expect(isOutOfRange(dropping(13, of: workers, at: [31, 14, 1])))
    }

    @Test("a drain without its worker's message is an invalid argument")
    func drain() throws {
      let call = ControlFrame.call(Samples.header(.drain), .success(.drain("w"))).encode()
      let frame = try decodeControl(dropping(15, of: call, at: [30]))
      guard case .call(let header, .failure(let failure)) = frame else {
        Issue.record("\(frame)")
        return
      }
      #expect(header.method == Method.drain.rawValue)
      #expect(failure.code == .invalidArgument)
    }
  }
}

extension DataFrame {
  /// Number of the body of a message about state.
  fileprivate var body: UInt64 {
    switch self {
    case .copy: 16
    case .copyReceipt: 17
    case .statePull: 18
    case .stateAnswer: 19
    case .statePart: 20
    case .passQuestion: 21
    case .passAnswer: 22
    default: 0
    }
  }
}
