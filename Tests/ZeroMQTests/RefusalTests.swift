import CZeroMQ
import Glibc
import Testing
import ZeroMQ

extension ZeroMQTests {
  @Suite struct Refusals {
    let context: Context

    init() throws {
      context = try Context()
    }

    @Test("at the high-water mark a send is refused, the message stays, and room comes back")
    func highWaterMark() throws {
      let pair = try Pair(
        "inproc://full", context: context, options(2), options(2, routingID: "dealer"))
      var sent = 0
      var message = Message(header: Frame([0]))
      while try pair.dealer.socket.send(&message) == .sent {
        sent += 1
        try #require(sent <= 4, "inproc adds the two marks up")
        message = Message(header: Frame([UInt8(sent)]), payload: Frame([1, 2, 3]))
      }
      #expect(sent > 0)
      #expect(Content(message) == Content(nil, [UInt8(sent)], [1, 2, 3]))
      #expect(!(try pair.dealer.socket.events).contains(.writable))
      for expected in 0..<sent {
        #expect(try pair.router.receiveContent().header == [UInt8(expected)])
      }
      try pair.dealer.wait(for: .writable)
      #expect(try pair.dealer.socket.send(&message) == .sent)
      #expect(try pair.router.receiveContent() == Content("dealer", [UInt8(sent)], [1, 2, 3]))
    }

    @Test("room that the peer has just made is seen at once, in both directions")
    func immediateRoom() throws {
      let pair = try Pair(
        "inproc://room", context: context, options(1), options(1, routingID: "dealer"))
      for number in 0..<2_000 {
        let header = [UInt8(truncatingIfNeeded: number)]
        #expect(try pair.dealer.socket.send(Message(header: Frame(header))) == .sent)
        let request = try pair.router.receiveMessage()
        #expect(try pair.router.socket.send(request) == .sent)
        #expect(try pair.dealer.receiveContent() == Content(nil, header))
      }
    }

    @Test("a DEALER does not queue for a peer that is not there")
    func nobodyThere() throws {
      let dealer = try Socket(.dealer, context: context, options: options())
      try dealer.connect("tcp://127.0.0.1:9")
      #expect(try dealer.send(Message(header: Frame([1]))) == .wouldBlock)
    }

    @Test("a ROUTER reports a peer that it does not know and keeps the message")
    func unroutable() throws {
      let router = try Socket(.router, context: context, options: options())
      var message = Message(
        routingID: Array("stranger".utf8), header: Frame([1]), payload: Frame([2]))
      #expect(try router.send(&message) == .unroutable)
      #expect(Content(message) == Content("stranger", [1], [2]))
    }

    @Test("a ROUTER whose peer does not read is refused and the next message is whole")
    func slowReader() throws {
      let pair = try Pair(
        "inproc://slow", context: context, options(1), options(1, routingID: "dealer"))
      let target = Array("dealer".utf8)
      var sent: UInt8 = 0
      while try pair.router.socket.send(
        Message(routingID: target, header: Frame([sent]), payload: Frame([sent]))) == .sent
      {
        sent += 1
        try #require(sent < 10)
      }
      for expected in 0..<sent {
        #expect(try pair.dealer.receiveContent() == Content(nil, [expected], [expected]))
      }
      let last = Message(routingID: target, header: Frame([99]))
      #expect(try pair.router.socket.send(last) == .sent)
      #expect(try pair.dealer.receiveContent() == Content(nil, [99]))
    }

    @Test("a peer that exceeds the frame size is cut off and others are served")
    func oversizedFrame() throws {
      let pair = try Pair("tcp://127.0.0.1:*", context: context, options(frameBytes: 65_536))
      let monitor = try SocketMonitor(pair.router)
      let other = try OwnedSocket(.dealer, context: context, options: options(routingID: "other"))
      try other.socket.connect(pair.endpoint)
      try other.sendWhenWritable("before")
      #expect(try pair.router.receiveText() == ("other", "before"))

      try pair.dealer.sendWhenWritable("large", payload: [UInt8](repeating: 0, count: 65_537))
      _ = try monitor.wait(for: .disconnected)
      try other.sendWhenWritable("after")
      #expect(try pair.router.receiveText() == ("other", "after"))
      #expect(try pair.router.staysSilent())
    }

    @Test("a stranger that sends garbage does not keep others from being served")
    func garbage() throws {
      let pair = try Pair("tcp://127.0.0.1:*", context: context)
      let monitor = try SocketMonitor(pair.router)
      let port = try #require(pair.endpoint.split(separator: ":").last.flatMap { UInt16($0) })
      let stranger = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(stranger) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
      let status = withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(stranger, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      #expect(status == 0)
      let request = Array(String(repeating: "GET / HTTP/1.1\r\n", count: 64).utf8)
      #expect(send(stranger, request, request.count, Int32(MSG_NOSIGNAL)) > 0)
      _ = try monitor.wait(for: .accepted)
      try pair.dealer.sendWhenWritable("after")
      // Without security libzmq still speaks ZMTP 1.0, where these bytes can pass for messages.
      while try pair.router.receiveText() != ("dealer", "after") {}
    }

    @Test("messages of too many frames are dropped, counted, and cost no memory")
    func tooManyFrames() throws {
      let pair = try Pair("tcp://127.0.0.1:*", context: context)
      let flood = Flood(endpoint: pair.endpoint)
      try flood.send(messages: 20, frames: 1000)
      try receive(untilOversized: 20, at: pair.router)
      let before = try residentBytes()
      try flood.send(messages: 400, frames: 1000)
      try receive(untilOversized: 420, at: pair.router)
      #expect(try residentBytes() - before < 16 << 20)
      try pair.dealer.sendWhenWritable("after")
      #expect(try pair.router.receiveText() == ("dealer", "after"))
      flood.finish()
    }

    private func receive(untilOversized count: Int, at router: OwnedSocket) throws {
      while router.socket.oversizedMessages < count {
        try router.wait(for: .readable)
        if let message = try router.socket.receive() {
          Issue.record("\(Content(message)) was not dropped")
        }
      }
    }
  }
}

/// A peer that is not bound to this project's message shape; each run has a thread of its own.
private final class Flood {
  private let endpoint: String
  private var threads: [DedicatedThread] = []

  init(endpoint: String) {
    self.endpoint = endpoint
  }

  func send(messages: Int, frames: Int) throws {
    let endpoint = endpoint
    let thread = try DedicatedThread(name: "flood") {
      let context = zmq_ctx_new()
      let socket = zmq_socket(context, ZMQ_DEALER)
      // What counts is the receiver's memory, not this sender's queue.
      var one: Int32 = 1
      zmq_setsockopt(socket, ZMQ_SNDHWM, &one, MemoryLayout<Int32>.size)
      zmq_connect(socket, endpoint)
      let content = [UInt8](repeating: 1, count: 64)
      for _ in 0..<messages {
        for frame in 1...frames {
          zmq_send(socket, content, content.count, frame == frames ? 0 : ZMQ_SNDMORE)
        }
      }
      zmq_close(socket)
      zmq_ctx_term(context)
    }
    threads.append(thread)
  }

  func finish() {
    for thread in threads { thread.join() }
  }
}
