internal import CMeshWire
package import MeshCore

/// A message of a control socket: one frame.
package enum ControlFrame: Hashable, Sendable {
  /// The incarnation of a hello is that of its sender.
  case worker(WorkerMessage, from: WorkerID)
  case coordinator(CoordinatorMessage)
  /// A call, or what it has to be answered with: UNIMPLEMENTED for a method that this build doesn't
  /// know, INVALID_ARGUMENT, or FAILED_PRECONDITION for another version of the protocol.
  case call(CallHeader, Result<CallRequest, CallFailure>)
  case reply(RequestID, CallOutcome)
}

extension ControlFrame {
  /// The frame. Never fails and never exceeds `Limits.controlFrameBytesMaximum`: text and lists are
  /// cut to their caps.
  package func encode() -> [UInt8] {
    let arena = Arena()
    let envelope = arena.make(mesh__v1__envelope__init)
    envelope.pointee.version = wire32(protocolVersion)
    switch self {
    case .worker(let message, from: let worker):
      envelope.pointee.sender = worker.incarnation
      arena.fill(envelope, message)
    case .coordinator(let message):
      arena.fill(envelope, message)
    case .call(let header, let request):
      envelope.pointee.version = wire32(header.version)
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_CALL
      envelope.pointee.call = arena.call(header, request)
    case .reply(let request, let outcome):
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_REPLY
      envelope.pointee.reply = arena.reply(request, outcome)
    }
    return arena.packed(envelope)
  }

  /// Reads a frame that came from anywhere.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(WireError) {
    self = try unpack(
      bytes, attnmesh_wire_envelope(), bytesMaximum: Limits.controlFrameBytesMaximum,
      Self.convert)
  }

  private static func convert(_ envelope: Mesh__V1__Envelope) throws(WireError) -> ControlFrame {
    let version = Int(envelope.version)
    switch envelope.body_case {
    // These four keep their meaning in all versions.
    case MESH__V1__ENVELOPE__BODY_HELLO:
      let sender = try WorkerID(sender: envelope.sender)
      let hello = try WorkerMessage.Hello(envelope.hello, from: sender, version: version)
      return .worker(.hello(hello), from: sender)
    case MESH__V1__ENVELOPE__BODY_REFUSED:
      let refused = try required(envelope.refused, "refused")
      let reason = try text(refused.reason, maximum: Limits.textBytesMaximum, "reason")
      return .coordinator(.refused(StatusCode(refused.status), reason: reason))
    case MESH__V1__ENVELOPE__BODY_CALL:
      let call = try required(envelope.call, "call")
      let header = try CallHeader(call, version: version)
      return .call(header, CallRequest.received(call, header))
    case MESH__V1__ENVELOPE__BODY_REPLY:
      let reply = try required(envelope.reply, "reply")
      if let failure = try CallFailure(reply) {
        return .reply(RequestID(reply), .failure(failure))
      }
      guard version == protocolVersion else { throw .unknownVersion(version) }
      return .reply(RequestID(reply), .success(try CallReply(reply)))
    default:
      guard version == protocolVersion else { throw .unknownVersion(version) }
      if let message = try CoordinatorMessage.received(envelope) { return .coordinator(message) }
      guard let message = try WorkerMessage.received(envelope) else { throw .unknownKind }
      return .worker(message, from: try WorkerID(sender: envelope.sender))
    }
  }
}

extension WorkerID {
  init(sender: UInt64) throws(WireError) {
    guard sender != 0 else { throw .missingField("sender") }
    self.init(incarnation: sender)
  }
}
