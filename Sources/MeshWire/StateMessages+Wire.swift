internal import CMeshWire
internal import MeshCore

extension Arena {
  func copyHeader(_ header: CopyHeader) -> UnsafeMutablePointer<Mesh__V1__CopyHeader> {
    let message = make(mesh__v1__copy_header__init)
    message.pointee.job = job(header.job)
    message.pointee.plan_tag = header.planTag
    message.pointee.vrank = wire32(header.vrank.index)
    message.pointee.epoch = epoch(header.epoch)
    message.pointee.next = wire32(header.next)
    message.pointee.first = wire32(header.first)
    message.pointee.message = wire32(header.message)
    return message
  }

  func copyReceipt(_ receipt: CopyReceipt) -> UnsafeMutablePointer<Mesh__V1__CopyReceipt> {
    let message = make(mesh__v1__copy_receipt__init)
    message.pointee.job = job(receipt.job)
    message.pointee.vrank = wire32(receipt.vrank.index)
    message.pointee.epoch = epoch(receipt.epoch)
    message.pointee.next = wire32(receipt.next)
    message.pointee.message = wire32(receipt.message)
    message.pointee.status = receipt.status.wire
    return message
  }

  func statePull(_ pull: StatePull) -> UnsafeMutablePointer<Mesh__V1__StatePull> {
    let message = make(mesh__v1__state_pull__init)
    message.pointee.job = job(pull.job)
    message.pointee.plan_tag = pull.planTag
    message.pointee.vrank = wire32(pull.vrank.index)
    message.pointee.epoch = epoch(pull.epoch)
    message.pointee.message_begin = wire32(pull.messages.lowerBound)
    message.pointee.message_end = wire32(pull.messages.upperBound)
    return message
  }

  func stateAnswer(_ answer: StateAnswer) -> UnsafeMutablePointer<Mesh__V1__StateAnswer> {
    let message = make(mesh__v1__state_answer__init)
    message.pointee.job = job(answer.job)
    message.pointee.vrank = wire32(answer.vrank.index)
    message.pointee.epoch = epoch(answer.epoch)
    message.pointee.next = wire32(answer.next)
    message.pointee.status = answer.status.wire
    return message
  }
}

extension DataFrame {
  /// The message of an envelope about copies of state; nil for another kind.
  static func convertCopy(
    _ envelope: Mesh__V1__DataEnvelope
  ) throws(WireError) -> DataFrame? {
    switch envelope.body_case {
    case MESH__V1__DATA_ENVELOPE__BODY_COPY:
      return .copy(try CopyHeader(required: envelope.copy))
    case MESH__V1__DATA_ENVELOPE__BODY_COPY_RECEIPT:
      return .copyReceipt(try CopyReceipt(try required(envelope.copy_receipt, "receipt")))
    case MESH__V1__DATA_ENVELOPE__BODY_STATE_PULL:
      return .statePull(try StatePull(try required(envelope.state_pull, "pull of state")))
    case MESH__V1__DATA_ENVELOPE__BODY_STATE_ANSWER:
      return .stateAnswer(try StateAnswer(try required(envelope.state_answer, "answer")))
    case MESH__V1__DATA_ENVELOPE__BODY_STATE_PART:
      return .statePart(try CopyHeader(required: envelope.state_part))
    default:
      return nil
    }
  }
}

extension CopyHeader {
  init(required message: UnsafeMutablePointer<Mesh__V1__CopyHeader>?) throws(WireError) {
    let message = try MeshWire.required(message, "copy header")
    let index = try messageIndex(message.message, "message")
    self.init(
      job: try JobID(required: message.job), planTag: message.plan_tag,
      vrank: try VRank(wire: message.vrank), epoch: try Epoch(required: message.epoch),
      next: try tileCount(message.next, "next"),
      first: try number(message.first, in: 0...index, "first message"), message: index)
  }
}

extension CopyReceipt {
  init(_ message: Mesh__V1__CopyReceipt) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), vrank: try VRank(wire: message.vrank),
      epoch: try Epoch(required: message.epoch), next: try tileCount(message.next, "next"),
      message: try messageIndex(message.message, "message"), status: StatusCode(message.status))
  }
}

extension StatePull {
  init(_ message: Mesh__V1__StatePull) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), planTag: message.plan_tag,
      vrank: try VRank(wire: message.vrank), epoch: try Epoch(required: message.epoch),
      messages: try range(
        message.message_begin, message.message_end, maximum: WireCaps.stateMessagesMaximum,
        "messages"))
    guard messages.count <= WireCaps.messagesPerPullMaximum else {
      throw .outOfRange("\(messages.count) messages are asked for")
    }
  }
}

extension StateAnswer {
  init(_ message: Mesh__V1__StateAnswer) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), vrank: try VRank(wire: message.vrank),
      epoch: try Epoch(required: message.epoch), next: try tileCount(message.next, "next"),
      status: StatusCode(message.status))
  }
}

/// Index of a message among those of a virtual rank's state.
func messageIndex(_ index: UInt32, _ field: StaticString) throws(WireError) -> Int {
  try number(index, in: 0...(WireCaps.stateMessagesMaximum - 1), field)
}
