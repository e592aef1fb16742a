import Glibc
import Testing
import ZeroMQ

/// All tests of this target run one after the other: some count the process's descriptors.
@Suite(.serialized) struct ZeroMQTests {}

/// How long anything here may take before it counts as lost.
let patience: Duration = .seconds(10)

/// Long enough for loopback to deliver what it is going to deliver.
let settling: Duration = .milliseconds(100)

func options(
  _ highWaterMark: Int = 16, frameBytes: Int = 2 << 20, routingID: String? = nil
) -> SocketOptions {
  var options = SocketOptions(
    sendHighWaterMark: highWaterMark, receiveHighWaterMark: highWaterMark,
    maximumFrameBytes: frameBytes)
  options.routingID = routingID.map { Array($0.utf8) }
  return options
}

/// A directory for ipc endpoints that goes away with its owner.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/zeromq-tests-XXXXXX".utf8CString)
    let path = template.withUnsafeMutableBufferPointer { buffer -> String? in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    self.path = try #require(path)
  }

  deinit {
    // libzmq leaves the socket's file where it was bound.
    unlink("\(path)/socket")
    rmdir(path)
  }
}

/// A ROUTER and a DEALER that are connected and have exchanged a greeting.
///
/// A class, so that both live as long as it: a socket closes after its last use, and what it has
/// just sent goes with it.
final class Pair {
  let router: OwnedSocket
  let dealer: OwnedSocket
  let endpoint: String

  init(
    _ endpoint: String, context: Context, _ router: SocketOptions = options(),
    _ dealer: SocketOptions = options(routingID: "dealer")
  ) throws {
    self.router = try OwnedSocket(.router, context: context, options: router)
    self.dealer = try OwnedSocket(.dealer, context: context, options: dealer)
    self.endpoint = try self.router.socket.bind(endpoint)
    try self.dealer.socket.connect(self.endpoint)
    try self.dealer.sendWhenWritable("hello")
    _ = try self.router.receiveText()
  }
}

/// A message as a value, which expectations can look at.
struct Content: Equatable {
  var routingID: [UInt8]?
  var header: [UInt8]
  var payload: [UInt8]?

  init(_ routingID: String? = nil, _ header: [UInt8], _ payload: [UInt8]? = nil) {
    self.routingID = routingID.map { Array($0.utf8) }
    self.header = header
    self.payload = payload
  }

  init(_ message: borrowing Message) {
    routingID = message.routingID
    header = message.header.copiedBytes()
    payload =
      switch message.payload {
      case .some(let payload): payload.copiedBytes()
      case .none: nil
      }
  }
}

extension OwnedSocket {
  /// Waits until the socket is ready, or fails the test.
  func wait(for interest: Readiness) throws {
    var poller = Poller()
    poller.watch(self, for: interest)
    let deadline = MonotonicClock.now + patience
    while poller.readiness(of: self).isDisjoint(with: interest) {
      try #require(MonotonicClock.now < deadline, "nothing became ready")
      try poller.wait(upTo: deadline - MonotonicClock.now)
    }
  }

  /// Whether something arrives while everything under way is delivered.
  func staysSilent() throws -> Bool {
    var poller = Poller()
    poller.watch(self)
    return try poller.wait(upTo: settling) == 0
  }

  func sendWhenWritable(_ text: String, payload: [UInt8]? = nil) throws {
    try wait(for: .writable)
    var message = Message(header: Frame(Array(text.utf8)))
    if let payload { message.payload = Frame(payload) }
    #expect(try socket.send(&message) == .sent)
  }

  /// The next message; the test fails when none comes.
  func receiveMessage() throws -> Message {
    let deadline = MonotonicClock.now + patience
    while true {
      try wait(for: .readable)
      if let message = try socket.receive() { return message }
      try #require(MonotonicClock.now < deadline, "nothing but malformed messages")
    }
  }

  /// The content of the next message.
  func receiveContent() throws -> Content {
    Content(try receiveMessage())
  }

  /// The routing id and the header of the next message.
  func receiveText() throws -> (sender: String, text: String) {
    let content = try receiveContent()
    let sender = String(decoding: content.routingID ?? [], as: UTF8.self)
    return (sender, String(decoding: content.header, as: UTF8.self))
  }
}

extension SocketMonitor {
  /// Waits for the next event of a kind, skipping others.
  func wait(for kind: MonitorEvent.Kind) throws -> MonitorEvent {
    while true {
      try socket.wait(for: .readable)
      while let event = try next() {
        if event.kind == kind { return event }
      }
    }
  }
}

/// The first line of a file in /proc.
func procLine(_ path: String) throws -> String {
  let file = try #require(fopen(path, "r"))
  defer { fclose(file) }
  var line = [UInt8](repeating: 0, count: 256)
  let count = fread(&line, 1, line.count, file)
  return String(decoding: line.prefix(count).prefix { $0 != 10 }, as: UTF8.self)
}

/// Open file descriptors of this process.
func openDescriptors() throws -> Int {
  let directory = try #require(opendir("/proc/self/fd"))
  defer { closedir(directory) }
  var count = 0
  while readdir(directory) != nil { count += 1 }
  return count
}

/// Memory of this process that is resident, in bytes.
func residentBytes() throws -> Int {
  let fields = try procLine("/proc/self/statm").split(separator: " ")
  let pages = try #require(fields.count > 1 ? Int(fields[1]) : nil)
  return pages * Int(getpagesize())
}
