internal import CMeshWire
package import MeshCore

/// The first frame of a message on a data socket. It says everything that is needed to route and
/// refuse; bulk bytes follow in a payload frame, which is relayed without being packed again.
package enum DataFrame: Hashable, Sendable {
  case pull(Pull)
  /// The immediate answer to the pull of a tile from a part on.
  case answer(PullAnswer, to: PartHeader)
  /// A `PayloadFrame<TilePart>` follows.
  case part(PartHeader)
  /// A `PayloadFrame<SoftmaxState>` follows.
  case state(StateHeader)
  case vrankFinal(VRankFinal)
  case receipt(ResultReceipt)
  /// A message of a copy, to its holder: a `PayloadFrame<SoftmaxState>` follows.
  case copy(CopyHeader)
  case copyReceipt(CopyReceipt)
  case statePull(StatePull)
  case stateAnswer(StateAnswer)
  /// A message of a copy, back from its holder: a `PayloadFrame<SoftmaxState>` follows.
  case statePart(CopyHeader)
  case passQuestion(PassQuestion)
  case passAnswer(PassAnswer)
  case blocksPull(BlocksPull)
  /// Bytes of a block map, from the byte that was asked for on: a `PayloadFrame<Chunk>` follows.
  case blocks(BlocksPull)
  /// A call, or what it has to be answered with; see `ControlFrame.call`. With an upload a
  /// `PayloadFrame<Chunk>` follows.
  case call(CallHeader, Result<StoreRequest, CallFailure>)
  /// With the reply of a read a `PayloadFrame<Chunk>` follows.
  case reply(RequestID, StoreOutcome)

  /// Whether a payload frame belongs to the message. One that is missing, or that is there without
  /// being expected, makes the message malformed; but a call with a failure may have one.
  package var hasPayload: Bool {
    switch self {
    case .part, .state, .copy, .statePart, .blocks, .call(_, .success(.upload)),
      .reply(_, .success(.read)):
      true
    case .pull, .answer, .vrankFinal, .receipt, .copyReceipt, .statePull, .stateAnswer,
      .passQuestion, .passAnswer, .blocksPull, .call, .reply:
      false
    }
  }
}

extension DataFrame {
  /// The frame. Never fails and never exceeds `WireCaps.headerBytesMaximum`.
  package func encode() -> [UInt8] {
    let arena = Arena()
    let envelope = arena.make(mesh__v1__data_envelope__init)
    envelope.pointee.version = wire32(protocolVersion)
    switch self {
    case .pull(let pull):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_PULL
      envelope.pointee.pull = arena.pull(pull)
    case .answer(let answer, to: let header):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_ANSWER
      envelope.pointee.answer = arena.answer(answer, to: header)
    case .part(let header):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_PART
      envelope.pointee.part = arena.partHeader(header)
    case .state(let header):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_STATE
      envelope.pointee.state = arena.stateHeader(header)
    case .vrankFinal(let end):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_VRANK_FINAL
      envelope.pointee.vrank_final = arena.vrankFinal(end)
    case .receipt(let receipt):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_RECEIPT
      envelope.pointee.receipt = arena.receipt(receipt)
    case .copy(let header):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_COPY
      envelope.pointee.copy = arena.copyHeader(header)
    case .copyReceipt(let receipt):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_COPY_RECEIPT
      envelope.pointee.copy_receipt = arena.copyReceipt(receipt)
    case .statePull(let pull):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_STATE_PULL
      envelope.pointee.state_pull = arena.statePull(pull)
    case .stateAnswer(let answer):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_STATE_ANSWER
      envelope.pointee.state_answer = arena.stateAnswer(answer)
    case .statePart(let header):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_STATE_PART
      envelope.pointee.state_part = arena.copyHeader(header)
    case .passQuestion(let question):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_PASS_QUESTION
      envelope.pointee.pass_question = arena.passQuestion(question)
    case .passAnswer(let answer):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_PASS_ANSWER
      envelope.pointee.pass_answer = arena.passAnswer(answer)
    case .blocksPull(let pull):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_BLOCKS_PULL
      envelope.pointee.blocks_pull = arena.blocksPull(pull)
    case .blocks(let pull):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_BLOCKS
      envelope.pointee.blocks = arena.blocksPull(pull)
    case .call(let header, let request):
      envelope.pointee.version = wire32(header.version)
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_CALL
      envelope.pointee.call = arena.call(header, request)
    case .reply(let request, let outcome):
      envelope.pointee.body_case = MESH__V1__DATA_ENVELOPE__BODY_REPLY
      envelope.pointee.reply = arena.reply(request, outcome)
    }
    return arena.packed(envelope)
  }

  /// Reads a frame that came from anywhere.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(WireError) {
    self = try unpack(
      bytes, attnmesh_wire_data_envelope(), bytesMaximum: WireCaps.headerBytesMaximum,
      Self.convert)
  }

  private static func convert(_ envelope: Mesh__V1__DataEnvelope) throws(WireError) -> DataFrame {
    let version = Int(envelope.version)
    switch envelope.body_case {
    // These two keep their meaning in all versions.
    case MESH__V1__DATA_ENVELOPE__BODY_CALL:
      let call = try required(envelope.call, "call")
      let header = try CallHeader(call, version: version)
      return .call(header, StoreRequest.received(call, header))
    case MESH__V1__DATA_ENVELOPE__BODY_REPLY:
      let reply = try required(envelope.reply, "reply")
      if let failure = try CallFailure(reply) {
        return .reply(RequestID(reply), .failure(failure))
      }
      guard version == protocolVersion else { throw .unknownVersion(version) }
      return .reply(RequestID(reply), .success(try StoreReply(reply)))
    default:
      guard version == protocolVersion else { throw .unknownVersion(version) }
      if let frame = try convertCopy(envelope) { return frame }
      return try convertTile(envelope)
    }
  }

  private static func convertTile(
    _ envelope: Mesh__V1__DataEnvelope
  ) throws(WireError) -> DataFrame {
    switch envelope.body_case {
    case MESH__V1__DATA_ENVELOPE__BODY_PULL:
      return .pull(try Pull(try required(envelope.pull, "pull")))
    case MESH__V1__DATA_ENVELOPE__BODY_ANSWER:
      let answer = try required(envelope.answer, "answer")
      return .answer(
        try enumeration(answer.kind.rawValue, "answer"),
        to: try PartHeader(required: answer.first))
    case MESH__V1__DATA_ENVELOPE__BODY_PART:
      return .part(try PartHeader(required: envelope.part))
    case MESH__V1__DATA_ENVELOPE__BODY_STATE:
      return .state(try StateHeader(required: envelope.state))
    case MESH__V1__DATA_ENVELOPE__BODY_VRANK_FINAL:
      return .vrankFinal(try VRankFinal(try required(envelope.vrank_final, "end of a result")))
    case MESH__V1__DATA_ENVELOPE__BODY_RECEIPT:
      return .receipt(try ResultReceipt(try required(envelope.receipt, "receipt")))
    case MESH__V1__DATA_ENVELOPE__BODY_BLOCKS_PULL:
      return .blocksPull(try BlocksPull(try required(envelope.blocks_pull, "pull of a map")))
    case MESH__V1__DATA_ENVELOPE__BODY_BLOCKS:
      return .blocks(try BlocksPull(try required(envelope.blocks, "blocks")))
    default:
      throw .unknownKind
    }
  }
}
