import MeshCore
import MeshWire
import Testing

extension WireTests {
  @Suite struct AssignmentTests {
    private func error(_ assignment: Assignment) -> WireError? {
      Kind.control.error(ControlFrame.coordinator(.assign(assignment, term: 1)).encode())
    }

    private func host(
      _ peer: Int?, holder: Int? = nil, sources: [Int] = []
    ) -> Assignment.Host {
      Assignment.Host(peer: peer, epoch: Samples.epoch, holder: holder, sources: sources)
    }

    @Test("a rank without a host, and hosts with and without a holder, are taken")
    func hosts() {
      for good in [
        host(nil), host(0), host(1, holder: 0), host(nil, holder: 0, sources: [1, 0]),
        host(0, sources: [0]),
      ] {
        #expect(error(Samples.assignment(peers: 2, hosts: [good])) == nil)
      }
    }

    @Test("the largest there can be fits a control frame")
    func largest() throws {
      let count = Limits.workersMaximum
      let endpoint = String(repeating: "e", count: WireCaps.endpointBytesMaximum)
      let peers = (0..<count).map {
        Assignment.Peer(
          worker: WorkerID(incarnation: .max - UInt64($0)), endpoint: endpoint,
          publicKey: Samples.publicKey)
      }
      let hosts = (0..<Limits.vranksMaximum).map { _ in
        Assignment.Host(
          peer: count - 1, epoch: Epoch(term: .max, counter: .max), duty: .fold, holder: count - 2,
          sources: [count - 2, count - 3], isFresh: true)
      }
      let good = Samples.assignment(peers: count, hosts: hosts)
      let frame = ControlFrame.coordinator(
        .assign(changed(good, spec: Samples.maskedSpec, peers: peers), term: .max))
      let bytes = frame.encode()
      #expect(bytes.count <= Limits.controlFrameBytesMaximum, "\(bytes.count) bytes")
      #expect(try decodeControl(bytes) == frame)
    }

    @Test("an assignment that no coordinator makes is refused")
    func refused() {
      let good = Samples.assignment(peers: 2)
      var bad = [
        host(2), host(256), host(.max), host(0, holder: 0), host(0, holder: 2),
        host(nil, holder: 9),
        host(0, sources: [2]), host(0, sources: [1, .max]),
      ].map { Samples.assignment(peers: 2, hosts: [$0]) }
      bad += [
        Samples.assignment(peers: 2, hosts: []), Samples.assignment(peers: 0, hosts: [host(nil)]),
        changed(good, spec: Samples.smallestSpec),
        changed(good, peers: [good.peers[0], good.peers[0]]),
      ]
      for assignment in bad {
        guard case .outOfRange = error(assignment) else {
          Issue.record("taken: \(assignment.problem ?? "no problem")")
          continue
        }
      }
    }

    private func changed(
      _ good: Assignment, spec: AttentionJob? = nil, peers: [Assignment.Peer]? = nil
    ) -> Assignment {
      let spec = spec ?? good.spec
      let inputs = InputDigests(
        query: good.inputs.query, key: good.inputs.key, value: good.inputs.value,
        blockMap: spec.mask.blocks.map { _ in Samples.digest(5) })
      return Assignment(
        job: good.job, spec: spec, inputs: inputs, vrankCount: good.hosts.count,
        planHash: good.planHash, revision: good.revision, isProtected: good.isProtected,
        peers: peers ?? good.peers, hosts: good.hosts)
    }

    @Test("a host's sources are cut to two")
    func sourcesCut() throws {
      let frame = try decodeControl(
        ControlFrame.coordinator(
          .assign(Samples.assignment(peers: 3, hosts: [host(0, sources: [2, 1, 0])]), term: 1)
        ).encode())
      guard case .coordinator(.assign(let received, term: 1)) = frame else {
        Issue.record("\(frame)")
        return
      }
      #expect(received.hosts.map(\.sources) == [[2, 1]])
    }

    @Test("more than two sources are refused, packed or not")
    func sources() {
      let good = Samples.assignment(peers: 2, hosts: [host(0)])
      let bytes = ControlFrame.coordinator(.assign(good, term: 1)).encode()
      let number = Writer.number(5, 1)
      for (sources, isTaken) in [
        (Writer.bytes(5, [1, 0]), true), (number + number, true),
        (Writer.bytes(5, [1, 0, 1]), false), (number + number + number, false),
        (Writer.bytes(5, [UInt8](repeating: 0, count: 256)), false),
      ] {
        let error = Kind.control.error(changing(bytes, at: [23, 9]) { $0 + sources })
        #expect((error == nil) == isTaken, "\(error.debugDescription)")
      }
    }

    @Test("a duty that isn't known is refused")
    func duty() {
      let good = Samples.assignment(peers: 2, hosts: [host(0)])
      let bytes = ControlFrame.coordinator(.assign(good, term: 1)).encode()
      for duty in [UInt64(0), 4, 256, 1 << 31] {
        let changed = changing(dropping(3, of: bytes, at: [23, 9]), at: [23, 9]) {
          $0 + Writer.number(3, duty)
        }
        #expect(Kind.control.error(changed) == .outOfRange("duty is \(duty)"))
      }
    }
  }
}
