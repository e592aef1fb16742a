internal import CMeshWire
internal import Checksums
internal import MeshCore

extension Arena {
  func partHeader(_ header: PartHeader) -> UnsafeMutablePointer<Mesh__V1__PartHeader> {
    let message = make(mesh__v1__part_header__init)
    message.pointee.job = job(header.job)
    message.pointee.plan_tag = header.planTag
    message.pointee.tensor = Mesh__V1__TileTensor(UInt32(header.tile.tensor.rawValue))
    message.pointee.tile = wire32(header.tile.index)
    message.pointee.part = wire32(header.part)
    return message
  }

  func stateHeader(_ header: StateHeader) -> UnsafeMutablePointer<Mesh__V1__StateHeader> {
    let message = make(mesh__v1__state_header__init)
    message.pointee.job = job(header.job)
    message.pointee.plan_tag = header.planTag
    message.pointee.vrank = wire32(header.vrank.index)
    message.pointee.epoch = epoch(header.epoch)
    message.pointee.tensor = Mesh__V1__TileTensor(UInt32(header.tile.tensor.rawValue))
    message.pointee.tile = wire32(header.tile.index)
    message.pointee.part = wire32(header.part)
    return message
  }

  func pull(_ pull: Pull) -> UnsafeMutablePointer<Mesh__V1__Pull> {
    let message = make(mesh__v1__pull__init)
    message.pointee.first = partHeader(
      PartHeader(job: pull.job, planTag: pull.planTag, tile: pull.tile, part: pull.firstPart))
    message.pointee.credit_bytes = wire64(pull.creditBytes)
    message.pointee.worker = pull.worker.incarnation
    message.pointee.vrank = wire32(pull.vrank.index)
    message.pointee.epoch = epoch(pull.epoch)
    return message
  }

  func blocksPull(_ pull: BlocksPull) -> UnsafeMutablePointer<Mesh__V1__BlocksPull> {
    let message = make(mesh__v1__blocks_pull__init)
    message.pointee.job = job(pull.job)
    message.pointee.offset = wire64(pull.offset)
    return message
  }

  func answer(
    _ answer: PullAnswer, to header: PartHeader
  ) -> UnsafeMutablePointer<Mesh__V1__PartAnswer> {
    let message = make(mesh__v1__part_answer__init)
    message.pointee.first = partHeader(header)
    message.pointee.kind = Mesh__V1__PartAnswer__Kind(UInt32(answer.rawValue))
    return message
  }

  func vrankFinal(_ end: VRankFinal) -> UnsafeMutablePointer<Mesh__V1__VRankFinal> {
    let message = make(mesh__v1__vrank_final__init)
    message.pointee.job = job(end.job)
    message.pointee.vrank = wire32(end.vrank.index)
    message.pointee.epoch = epoch(end.epoch)
    message.pointee.digest = digest(end.digest)
    return message
  }

  func receipt(_ receipt: ResultReceipt) -> UnsafeMutablePointer<Mesh__V1__ResultReceipt> {
    let message = make(mesh__v1__result_receipt__init)
    message.pointee.job = job(receipt.job)
    message.pointee.vrank = wire32(receipt.vrank.index)
    message.pointee.epoch = epoch(receipt.epoch)
    if receipt.message < 0 {
      message.pointee.what_case = MESH__V1__RESULT_RECEIPT__WHAT_END
      message.pointee.end = make(mesh__v1__empty__init)
    } else {
      message.pointee.what_case = MESH__V1__RESULT_RECEIPT__WHAT_MESSAGE
      message.pointee.message = wire32(receipt.message)
    }
    message.pointee.status = receipt.status.wire
    return message
  }

  func reply(
    _ request: RequestID, _ outcome: StoreOutcome
  ) -> UnsafeMutablePointer<Mesh__V1__Reply> {
    switch outcome {
    case .failure(let failure):
      return reply(request, failure: failure)
    case .success(.uploaded(let reply)):
      let message = self.reply(request)
      let uploaded = make(mesh__v1__upload_reply__init)
      uploaded.pointee.received = wire64(reply.received)
      message.pointee.result_case = MESH__V1__REPLY__RESULT_UPLOADED
      message.pointee.uploaded = uploaded
      return message
    case .success(.read(let reply)):
      let message = self.reply(request)
      let read = make(mesh__v1__read_reply__init)
      read.pointee.offset = wire64(reply.offset)
      read.pointee.total = wire64(reply.total)
      message.pointee.result_case = MESH__V1__REPLY__RESULT_READ
      message.pointee.read = read
      return message
    }
  }
}

extension TileID {
  init(wire tensor: Mesh__V1__TileTensor, _ index: UInt32) throws(WireError) {
    let tensor: TileTensor = try enumeration(tensor.rawValue, "tile tensor")
    let tiles =
      switch tensor {
      case .query: WireCaps.queryTilesMaximum
      case .keyValue, .hidden, .gradient: WireCaps.keyTilesMaximum
      case .partial: WireCaps.keyTilesMaximum * Limits.vranksMaximum
      }
    self.init(tensor, try number(index, in: 0...(tiles - 1), "tile"))
  }
}

extension PartHeader {
  init(required message: UnsafeMutablePointer<Mesh__V1__PartHeader>?) throws(WireError) {
    let message = try MeshWire.required(message, "part header")
    self.init(
      job: try JobID(required: message.job), planTag: message.plan_tag,
      tile: try TileID(wire: message.tensor, message.tile),
      part: try number(message.part, in: 0...(WireCaps.partsMaximum - 1), "part"))
  }
}

extension StateHeader {
  init(required message: UnsafeMutablePointer<Mesh__V1__StateHeader>?) throws(WireError) {
    let message = try MeshWire.required(message, "state header")
    self.init(
      job: try JobID(required: message.job), planTag: message.plan_tag,
      vrank: try VRank(wire: message.vrank), epoch: try Epoch(required: message.epoch),
      tile: try TileID(wire: message.tensor, message.tile),
      part: try number(message.part, in: 0...(WireCaps.partsMaximum - 1), "part"))
    guard tile.tensor == .query || tile.tensor == .gradient else {
      throw .outOfRange("a state of a \(tile)")
    }
  }
}

extension Pull {
  init(_ message: Mesh__V1__Pull) throws(WireError) {
    let first = try PartHeader(required: message.first)
    self.init(
      job: first.job, planTag: first.planTag, tile: first.tile, firstPart: first.part,
      creditBytes: try byteCount(message.credit_bytes, "credit"),
      worker: try WorkerID(sender: message.worker), vrank: try VRank(wire: message.vrank),
      epoch: try Epoch(required: message.epoch))
  }
}

extension VRankFinal {
  init(_ message: Mesh__V1__VRankFinal) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), vrank: try VRank(wire: message.vrank),
      epoch: try Epoch(required: message.epoch), digest: try Digest(required: message.digest))
  }
}

extension ResultReceipt {
  init(_ message: Mesh__V1__ResultReceipt) throws(WireError) {
    let index: Int
    switch message.what_case {
    case MESH__V1__RESULT_RECEIPT__WHAT_MESSAGE:
      index = try messageIndex(message.message, "message")
    case MESH__V1__RESULT_RECEIPT__WHAT_END:
      index = -1
    default:
      throw .missingField("what a receipt is for")
    }
    self.init(
      job: try JobID(required: message.job), vrank: try VRank(wire: message.vrank),
      epoch: try Epoch(required: message.epoch), message: index,
      status: StatusCode(message.status))
  }
}

extension StoreReply {
  init(_ message: Mesh__V1__Reply) throws(WireError) {
    switch message.result_case {
    case MESH__V1__REPLY__RESULT_UPLOADED:
      let reply = try required(message.uploaded, "uploaded")
      self = .uploaded(UploadReply(received: try byteCount(reply.received, "received bytes")))
    case MESH__V1__REPLY__RESULT_READ:
      let reply = try required(message.read, "read")
      self = .read(
        ReadReply(
          offset: try byteCount(reply.offset, "offset"), total: try byteCount(reply.total, "total"))
      )
    default:
      throw .missingField("result")
    }
  }
}

extension BlocksPull {
  init(_ message: Mesh__V1__BlocksPull) throws(WireError) {
    self.init(
      job: try JobID(required: message.job), offset: try byteCount(message.offset, "offset"))
  }
}
