import Checksums
import ElementTypes
import MeshCore
import MeshWire
import Testing

extension WireTests {
  @Suite struct RoundTripTests {
    @Test("every control message decodes to what was encoded", arguments: Samples.controlFrames)
    func control(frame: ControlFrame) throws {
      #expect(try decodeControl(frame.encode()) == frame)
    }

    @Test("every data message decodes to what was encoded", arguments: Samples.dataFrames)
    func data(frame: DataFrame) throws {
      let bytes = frame.encode()
      #expect(bytes.count <= WireCaps.headerBytesMaximum)
      #expect(try decodeData(bytes) == frame)
    }

    @Test("the samples cover every method, event and status")
    func coverage() {
      let control = Set(Samples.requests.map(\.method))
      let data = Set(Samples.storeRequests.map(\.method))
      #expect(control.union(data) == Set(Method.allCases))
      let kinds = Set(
        Samples.events(Observation.Kind.allCases.count, detail: "").events.map(\.observation.kind))
      #expect(kinds == Set(Observation.Kind.allCases))
    }

    @Test("a payload frame follows tiles, states, copies, uploads and what is read")
    func payloads() {
      let header = Samples.copyHeader
      for frame in [.part(Samples.part), .state(Samples.stateHeader), .copy(header)] as [DataFrame]
      {
        #expect(frame.hasPayload)
      }
      #expect(DataFrame.statePart(header).hasPayload)
      let pull = BlocksPull(job: Samples.job, offset: 0)
      #expect(DataFrame.blocks(pull).hasPayload && !DataFrame.blocksPull(pull).hasPayload)
      #expect(Samples.dataFrames.count { $0.hasPayload } == 16)
    }

    @Test("a submit that doesn't say otherwise is for a protected job")
    func protectedByDefault() throws {
      for isProtected in [true, false] {
        let submit = SubmitRequest(spec: Samples.spec, deadlineSeconds: 1, isProtected: isProtected)
        let frame = ControlFrame.call(Samples.header(.submit), .success(.submit(submit))).encode()
        // Field 3 of the request: written only when it is true.
        let request = content(of: frame, at: [30, 10])
        #expect(fields(of: request).contains { $0[0] >> 3 == 3 } != isProtected)
      }
    }

    @Test("a heartbeat without a revision follows no assignment")
    func noRevision() throws {
      let heartbeat = WorkerMessage.Heartbeat(job: Samples.job, term: 1, progress: [])
      let frame = ControlFrame.worker(.heartbeat(heartbeat), from: Samples.worker)
      let bytes = frame.encode()
      #expect(!fields(of: content(of: bytes, at: [11])).contains { $0[0] >> 3 == 7 })
      #expect(try decodeControl(bytes) == frame)
      let lowest = changing(bytes, at: [11]) { $0 + Writer.bytes(7, []) }
      #expect(try decodeControl(lowest) == frame)
    }

    @Test("a hello of another version says its version")
    func helloOfAnotherVersion() throws {
      let hello = WorkerMessage.Hello(
        worker: Samples.worker, name: "w", processID: 1, version: protocolVersion + 5,
        numerics: "n", level: "l",
        threads: 1, memoryBytes: 1, endpoint: "e")
      let frame = ControlFrame.worker(.hello(hello), from: Samples.worker)
      #expect(try decodeControl(frame.encode()) == frame)
    }

    @Test("fields in any order make the same message")
    func order() throws {
      for frame in Samples.controlFrames {
        let shuffled = Array(fields(of: frame.encode()).reversed().joined())
        #expect(try decodeControl(shuffled) == frame)
      }
    }

    @Test("fields that are not known are skipped, up to 64")
    func unknownFields() throws {
      let frame = ControlFrame.coordinator(.beat(term: 4))
      let unknown = (0..<64).flatMap { Writer.number(1_000 + UInt64($0), 1) }
      #expect(try decodeControl(frame.encode() + unknown) == frame)
      let tooMany = frame.encode() + unknown + Writer.bytes(900, [1, 2])
      #expect(Kind.control.error(tooMany) == .malformed("more than 64 unknown fields"))
    }
  }

  @Suite struct CallTests {
    private func answer(_ bytes: [UInt8]) throws -> (CallHeader, CallFailure?) {
      guard case .call(let header, let request) = try decodeControl(bytes) else {
        throw WireError.unknownKind
      }
      guard case .failure(let failure) = request else { return (header, nil) }
      return (header, failure)
    }

    private func call(_ fields: [[UInt8]], version: Int) -> [UInt8] {
      let head = [
        Writer.fixed64(1, 1), Writer.fixed64(2, 2), Writer.number(3, 2), Writer.bytes(4, [97]),
        Writer.number(6, 500),
      ]
      return Writer.number(1, UInt64(version)) + Writer.bytes(30, Array((head + fields).joined()))
    }

    @Test("a call that can't be read says who asked and what to answer")
    func unreadable() throws {
      let job = Writer.bytes(11, Writer.bytes(1, []))
      let this = protocolVersion
      let cases: [([[UInt8]], Int, StatusCode?)] = [
        ([Writer.number(5, 3), job], this, nil),
        ([Writer.number(5, 99), job], this, .unimplemented),
        ([Writer.number(5, 1 << 31), job], this, .unimplemented),
        ([job], this, .unimplemented),
        ([Writer.number(5, 99), Writer.bytes(55, [1])], this, .unimplemented),
        ([Writer.number(5, 10), job], this, .unimplemented),
        ([Writer.number(5, 3)], this, .invalidArgument),
        ([Writer.number(5, 1), job], this, .invalidArgument),
        ([Writer.number(5, 1), Writer.bytes(10, Writer.bytes(1, []))], this, .invalidArgument),
        ([Writer.number(5, 3), job], this + 1, .failedPrecondition),
      ]
      for (fields, version, expected) in cases {
        let (header, failure) = try answer(call(fields, version: version))
        #expect(header.request == RequestID(high: 1, low: 2))
        #expect(header.version == version)
        #expect(failure?.code == expected, "\(failure.debugDescription)")
      }
    }

    @Test("a job that can't be computed is an invalid argument, with the reason")
    func invalidJob() throws {
      var spec = Samples.spec
      spec.scale = .nan
      let submit = CallRequest.submit(SubmitRequest(spec: spec, deadlineSeconds: 0))
      let (_, failure) = try answer(
        ControlFrame.call(Samples.header(.submit), .success(submit)).encode())
      #expect(failure?.code == .invalidArgument)
      #expect(failure?.message.contains("scale") == true)
      for deadline in [Double.nan, -1, .infinity, 1e10] {
        let submit = SubmitRequest(spec: Samples.spec, deadlineSeconds: deadline)
        let (_, failure) = try answer(
          ControlFrame.call(Samples.header(.submit), .success(.submit(submit))).encode())
        #expect(failure?.code == .invalidArgument)
      }
    }

    @Test("the remaining time is between none and an hour")
    func remainingTime() throws {
      let job = Writer.bytes(11, Writer.bytes(1, []))
      let method = Writer.number(5, 3)
      let long =
        Writer.version
        + Writer.bytes(
          30, Writer.number(3, 2) + method + Writer.number(6, .max) + job)
      #expect(try answer(long).0.remaining == Limits.callTimeMaximum)
      var header = Samples.header(.status)
      for (sent, received) in [
        (Duration.seconds(-5), Duration.zero), (.seconds(Int64.max), Limits.callTimeMaximum),
        (.microseconds(1_999), .milliseconds(1)),
      ] {
        header.remaining = sent
        let bytes = ControlFrame.call(header, .success(.status(Samples.job))).encode()
        #expect(try answer(bytes).0.remaining == received)
      }
    }
  }
}
