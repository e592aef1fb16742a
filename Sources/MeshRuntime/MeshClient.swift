internal import Checksums
package import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Calls a coordinator. Belongs to one thread.
package final class MeshClient {
  /// Where the coordinator's control socket is.
  package let endpoint: String
  let address: Endpoint
  let credentials: MeshCredentials?
  let context: Context
  let control: ClientLink
  var store: ClientLink?
  let role: Role
  let name: String
  var random = SystemRandomNumberGenerator()
  /// Whether sockets have to speak IPv6.
  let needsIPv6: Bool
  /// How long to wait for an answer of a coordinator that hasn't answered yet.
  package let timeout: Duration
  /// How long to wait for a coordinator that has answered before: it may be restarted.
  package let patience: Duration
  /// Told what is waited for, at once and again every ten seconds, and when that is over.
  package var notify: (String) -> Void = { _ in }
  /// What is said of a coordinator that is silent; nil while it isn't.
  private var silence: WaitNotice?
  private var hasAnswered = false

  /// What a change may take that is waited for on a connection that stands: its disk may be slow.
  private static let changeTimeout: Duration = .seconds(30)

  /// - Parameters:
  ///   - name: who calls, for people and fair queueing: user@host.
  ///   - credentials: keys of a mesh that has them; they say who calls, then.
  package init(
    endpoint: String, role: Role = .operator, name: String, credentials: MeshCredentials? = nil,
    timeout: Duration = .seconds(3), patience: Duration = .seconds(60)
  ) throws(MeshError) {
    self.endpoint = endpoint
    self.role = role
    self.name = name
    self.credentials = credentials
    self.timeout = timeout
    self.patience = patience
    address = try Endpoint(endpoint, flag: "--coordinator").forConnecting(flag: "--coordinator")
    needsIPv6 = address.needsIPv6
    do throws(ZeroMQError) {
      context = try Context()
      var options = Sockets.control(credentials?.toCoordinator ?? .none)
      options.routingID = Sockets.routingID(random.next(), 0)
      options.usesIPv6 = needsIPv6
      control = try ClientLink(
        address, options: options, hasKeys: credentials != nil, context: context)
    } catch {
      throw MeshError(.badInput, "\(endpoint): \(error.description); give tcp://HOST:PORT")
    }
  }

  /// Calls a method of the control socket.
  ///
  /// - Parameters:
  ///   - patience: how long the call may take; nil for the timeout, and for what a disk may take where
  ///     something is changed. It is sent again under the same request id when there is no answer, so
  ///     that a lost message costs a moment and not the call.
  ///   - grace: how much longer to wait for the answer. A call that asks for events is answered
  ///     within its short patience, but not by a coordinator that is late itself.
  ///   - endsWithConnection: whether a connection that breaks ends the call: its caller would rather
  ///     ask something else.
  ///   - isCancelled: asked several times a second.
  package func call(
    _ request: CallRequest, patience: Duration? = nil, grace: Duration = .zero,
    endsWithConnection: Bool = false, isCancelled: () -> Bool = { false }
  ) throws(MeshError) -> CallOutcome {
    let id = RequestID(high: random.next(), low: random.next())
    let start = MonotonicClock.now
    let slow = request.method.isKept && patience == nil ? Self.changeTimeout : .zero
    let limit = (patience ?? timeout) + grace
    var sending = Sending()
    while true {
      let waited = MonotonicClock.now - start
      let allowed = control.news.isConnected ? max(limit, slow) : limit
      let isOver = endsWithConnection && sending.isSent && !control.news.isConnected
      guard waited < allowed, !isOver else { throw unanswered(request, after: waited) }
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      tellSilence(for: waited, upTo: limit)
      do throws(ZeroMQError) {
        if sending.isDue(on: control.news) {
          let header = CallHeader(
            request: id, role: role, client: name, method: request.method.rawValue,
            remaining: max(.milliseconds(100), max(patience ?? timeout, slow) - waited))
          let frame = ControlFrame.call(header, .success(request))
          sending.note(
            try control.send(Message(header: Frame(frame.encode()))), on: control.news,
            again: .seconds(2))
        }
        try store?.takeNews()
        try control.wait(
          upTo: min(.milliseconds(100), allowed - waited), forRoom: !sending.isSent)
        while let message = try control.socket.socket.receive() {
          guard let outcome = reply(to: id, in: message) else { continue }
          hasAnswered = true
          if silence?.isTold == true { notify("the coordinator at \(endpoint) answers again") }
          silence = nil
          return outcome
        }
      } catch {
        throw MeshError(.unreachable, "\(endpoint): \(error.description)")
      }
      if let refusal = control.news.refusal {
        throw MeshError(.badInput, "the coordinator at \(endpoint): \(refusal)")
      }
      if !hasAnswered, control.isRefusedHere { throw unanswered(request, after: .zero) }
    }
  }

  private func unanswered(_ request: CallRequest, after waited: Duration) -> MeshError {
    if control.news.isConnected {
      return MeshError(
        .unreachable,
        "the coordinator at \(endpoint) is there, but has not answered a call to"
          + " \(request.method.purpose) for \(waited.components.seconds) s: it is busy, or its disk is"
          + " slow; its log tells more, and --timeout lets you wait longer")
    }
    let why = control.reachability.explanation(of: address, hasKeys: credentials != nil)
    return MeshError(.unreachable, "no coordinator answers at \(endpoint): \(why)")
  }

  /// Only where a coordinator is waited for that may come back.
  private func tellSilence(for waited: Duration, upTo limit: Duration) {
    guard limit >= patience, hasAnswered, waited >= .seconds(control.news.isConnected ? 3 : 1)
    else {
      return
    }
    if silence == nil { silence = WaitNotice() }
    guard silence?.isDue("the coordinator", at: MonotonicClock.now) == true else { return }
    let why =
      control.news.isConnected
      ? "it is there, but gives no answer"
      : control.reachability.explanation(of: address, hasKeys: credentials != nil)
    let left = max(.zero, limit - waited)
    notify(
      "no coordinator answers at \(endpoint): \(why); waiting for it for up to"
        + " \(left.components.seconds + (left.components.attoseconds > 0 ? 1 : 0)) s")
  }

  /// Whether there is a connection at the moment.
  var isConnected: Bool { control.news.isConnected }

  private func reply(to id: RequestID, in message: borrowing Message) -> CallOutcome? {
    let frame = message.header.withUnsafeBytes { try? ControlFrame(decoding: $0) }
    guard case .reply(id, let outcome) = frame else { return nil }
    return outcome
  }

  /// Waits until so many workers have joined.
  ///
  /// - Throws: they didn't within half a minute.
  package func waitForWorkers(
    _ count: Int, isCancelled: () -> Bool
  ) throws(MeshError) {
    let end = MonotonicClock.now + .seconds(30)
    var position: UInt64 = 0
    var found = 0
    while MonotonicClock.now < end {
      guard case .workers(let workers) = try call(.workers, isCancelled: isCancelled).orThrow()
      else { break }
      found = workers.present.count
      if found >= count { return }
      // Returns as soon as one more joins.
      let request = EventsRequest(after: position, job: nil)
      let outcome = try call(
        .events(request), patience: .seconds(2), grace: .seconds(10), isCancelled: isCancelled)
      if case .success(.events(let reply)) = outcome { position = reply.next }
    }
    throw MeshError(.jobFailed, "only \(found) of \(count) workers started within 30 s")
  }
}

/// When a call has to be sent: as soon as there is a connection, again on a new one, and again after a
/// while without an answer.
struct Sending {
  private(set) var isSent = false
  private var again = Duration.zero
  private var connections = 0

  func isDue(on news: ConnectionNews) -> Bool {
    !isSent || MonotonicClock.now >= again || news.connections > connections
  }

  mutating func note(_ isSent: Bool, on news: ConnectionNews, again interval: Duration) {
    self.isSent = isSent
    again = MonotonicClock.now + interval
    // It may be there before it is told of.
    connections = max(1, news.connections)
  }
}

extension CallFailure {
  /// What a refused call means to somebody at a terminal.
  package var meshError: MeshError {
    switch code {
    case .resourceExhausted: MeshError(.noRoom, message)
    case .invalidArgument, .notFound, .alreadyExists, .failedPrecondition,
      .outOfRange, .permissionDenied, .unimplemented, .unauthenticated:
      MeshError(.badInput, message)
    case .unavailable, .deadlineExceeded: MeshError(.unreachable, message)
    default: MeshError(.jobFailed, message)
    }
  }
}
