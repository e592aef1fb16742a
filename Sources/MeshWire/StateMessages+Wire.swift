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
    message.pointee.count = wire32(header.count)
    message.pointee.base_steps = wire32(header.base)
    message.pointee.released = wire32(header.released)
    if let tile = header.tile {
      message.pointee.tensor = Mesh__V1__TileTensor(UInt32(tile.tensor.rawValue))
      message.pointee.tile = wire32(tile.index)
      message.pointee.part = wire32(header.part)
    }
    return message
  }

  func passQuestion(_ question: PassQuestion) -> UnsafeMutablePointer<Mesh__V1__PassQuestion> {
    let message = make(mesh__v1__pass_question__init)
    message.pointee.job = job(question.job)
    message.pointee.plan_tag = question.planTag
    message.pointee.vrank = wire32(question.vrank.index)
    message.pointee.steps = wire32(question.steps)
    return message
  }

  func passAnswer(_ answer: PassAnswer) -> UnsafeMutablePointer<Mesh__V1__PassAnswer> {
    let message = make(mesh__v1__pass_answer__init)
    message.pointee.job = job(answer.job)
    message.pointee.vrank = wire32(answer.vrank.index)
    message.pointee.epoch = epoch(answer.epoch)
    message.pointee.steps = wire32(answer.steps)
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
    message.pointee.count = wire32(answer.count)
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
    case MESH__V1__DATA_ENVELOPE__BODY_PASS_QUESTION:
      return .passQuestion(try PassQuestion(try required(envelope.pass_question, "question")))
    case MESH__V1__DATA_ENVELOPE__BODY_PASS_ANSWER:
      return .passAnswer(try PassAnswer(try required(envelope.pass_answer, "answer")))
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
      first: try number(message.first, in: 0...index, "first message"), message: index,
      count: try number(
        message.count, in: index + 1...WireCaps.stateMessagesMaximum, "messages"),
      base: try tileCount(message.base_steps, "base"),
      released: try tileCount(message.released, "released"), tile: try Self.tile(message),
      part: try number(message.part, in: 0...(WireCaps.partsMaximum - 1), "part"))
  }

  private static func tile(_ message: Mesh__V1__CopyHeader) throws(WireError) -> TileID? {
    guard message.tensor.rawValue != 0 else { return nil }
    return try TileID(wire: message.tensor, message.tile)
  }
}

extension PassQuestion {
  init(_ message: Mesh__V1__PassQuestion) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), planTag: message.plan_tag,
      vrank: try VRank(wire: message.vrank), steps: try tileCount(message.steps, "steps"))
  }
}

extension PassAnswer {
  init(_ message: Mesh__V1__PassAnswer) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), vrank: try VRank(wire: message.vrank),
      epoch: try Epoch(required: message.epoch), steps: try tileCount(message.steps, "steps"))
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
      count: try number(message.count, in: 0...WireCaps.stateMessagesMaximum, "messages"),
      status: StatusCode(message.status))
  }
}

/// Index of a message among those of a virtual rank's state.
func messageIndex(_ index: UInt32, _ field: StaticString) throws(WireError) -> Int {
  try number(index, in: 0...(WireCaps.stateMessagesMaximum - 1), field)
}
