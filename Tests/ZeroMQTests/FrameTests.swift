import Testing
import ZeroMQ

/// Memory that reports its release.
private final class TrackedBuffer: Sendable {
  nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer
  private let released: Mailbox<Int>

  init(count: Int, filledWith byte: UInt8, released: Mailbox<Int>) {
    bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: byte)
    self.released = released
  }

  deinit {
    bytes.deallocate()
    _ = released.post(1)
  }

  static func frame(count: Int, released: Mailbox<Int>) -> Frame {
    let buffer = TrackedBuffer(count: count, filledWith: 9, released: released)
    return Frame(retaining: buffer, bytes: UnsafeRawBufferPointer(buffer.bytes))
  }
}

extension Mailbox {
  /// Waits until so many events have come.
  fileprivate func count(atLeast expected: Int) throws -> Int {
    var poller = Poller()
    poller.watch(self)
    let deadline = MonotonicClock.now + patience
    var count = drain().count
    while count < expected {
      try #require(MonotonicClock.now < deadline, "events are missing")
      try poller.wait(upTo: deadline - MonotonicClock.now)
      count += drain().count
    }
    return count
  }
}

private struct Unpackable: Error {}

extension ZeroMQTests {
  @Suite struct Frames {
    @Test("a frame holds what it was made of", arguments: [0, 1, 32, 33, 34, 35, 100_000])
    func content(count: Int) {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      let frame = Frame(bytes)
      #expect(frame.count == count)
      #expect(frame.copiedBytes() == bytes)
      #expect(frame.withBytes { $0.byteCount } == count)
      let moved = frame
      #expect(moved.copiedBytes() == bytes)
    }

    @Test("a frame is written in place")
    func fill() {
      let frame = Frame(count: 4) { $0.copyBytes(from: [1, 2, 3, 4]) }
      #expect(frame.copiedBytes() == [1, 2, 3, 4])
    }

    @Test("packing that fails throws its error and leaves no frame")
    func failingFill() {
      #expect(throws: Unpackable.self) {
        _ = try Frame(count: 1 << 20) { (_) throws(Unpackable) in throw Unpackable() }
      }
    }

    @Test("a copy of a small frame is independent", arguments: [0, 5, 33])
    func smallCopy(count: Int) {
      var frame = Frame([UInt8](repeating: 3, count: count))
      let twin = frame.copy()
      frame = Frame()
      #expect(twin.copiedBytes() == [UInt8](repeating: 3, count: count))
    }

    @Test("a copy of a large frame shares its memory")
    func largeCopy() {
      var frame = Frame([UInt8](repeating: 3, count: 1 << 20))
      let twin = frame.copy()
      let addresses = (
        frame.withUnsafeBytes { $0.baseAddress }, twin.withUnsafeBytes { $0.baseAddress }
      )
      #expect(addresses.0 == addresses.1)
    }

    @Test("retained memory is released with its last copy and not before")
    func releaseWithLastCopy() throws {
      let released = try Mailbox<Int>(capacity: 8)
      var stored: StoredFrame? = StoredFrame(
        TrackedBuffer.frame(count: 1 << 20, released: released))
      var twin = stored?.copy()
      stored = nil
      #expect(released.drain().isEmpty)
      // An unused frame may end early: this use keeps it until here.
      let bytes = twin?.copiedBytes()
      #expect(bytes == [UInt8](repeating: 9, count: 1 << 20))
      twin = nil
      #expect(released.drain().count == 1)
    }

    @Test(
      "retained memory is sent without a copy and released once",
      arguments: [
        "tcp://127.0.0.1:*", "inproc://retained",
      ])
    func releaseAfterSend(endpoint: String) throws {
      let released = try Mailbox<Int>(capacity: 64)
      let context = try Context()
      let pair = try Pair(endpoint, context: context)
      for _ in 0..<8 {
        try pair.dealer.wait(for: .writable)
        let payload = TrackedBuffer.frame(count: 1 << 20, released: released)
        let message = Message(header: Frame([1]), payload: payload)
        #expect(try pair.dealer.socket.send(message) == .sent)
        let received = try pair.router.receiveContent()
        #expect(received.payload == [UInt8](repeating: 9, count: 1 << 20))
      }
      #expect(try released.count(atLeast: 8) == 8)
    }

    @Test("retained memory that was never delivered is released when the context ends")
    func releaseWithContext() throws {
      let released = try Mailbox<Int>(capacity: 64)
      var queued = 0
      do {
        let pair = try Pair("tcp://127.0.0.1:*", context: try Context(), options(1))
        while queued < 32 {
          let payload = TrackedBuffer.frame(count: 1 << 20, released: released)
          let message = Message(header: Frame([1]), payload: payload)
          queued += 1
          if try pair.dealer.socket.send(message) != .sent { break }
        }
        #expect(queued > 1)
      }
      #expect(released.drain().count == queued)
    }

    @Test("one stored frame is sent many times", arguments: [8, 200_000])
    func storedFrame(count: Int) throws {
      let context = try Context()
      let pair = try Pair("tcp://127.0.0.1:*", context: context)
      let stored = StoredFrame(Frame([UInt8](repeating: 5, count: count)))
      for _ in 0..<5 {
        try pair.dealer.wait(for: .writable)
        #expect(try pair.dealer.socket.send(Message(header: stored.copy())) == .sent)
        let received = try pair.router.receiveContent()
        #expect(received.header == [UInt8](repeating: 5, count: count))
      }
      #expect(stored.count == count)
    }
  }
}
