internal import CMeshWire
internal import Checksums
internal import ElementTypes
internal import MeshCore

// Values that several messages contain: packing in Arena, rules in initialisers.

extension Arena {
  func job(_ job: JobID) -> UnsafeMutablePointer<Mesh__V1__JobId> {
    let message = make(mesh__v1__job_id__init)
    message.pointee.high = job.high
    message.pointee.low = job.low
    return message
  }

  func epoch(_ epoch: Epoch) -> UnsafeMutablePointer<Mesh__V1__Epoch> {
    let message = make(mesh__v1__epoch__init)
    message.pointee.term = epoch.term
    message.pointee.counter = epoch.counter
    return message
  }

  func spec(_ spec: AttentionJob) -> UnsafeMutablePointer<Mesh__V1__JobSpec> {
    let message = make(mesh__v1__job_spec__init)
    message.pointee.batch = wire32(spec.batch)
    message.pointee.query_heads = wire32(spec.queryHeads)
    message.pointee.key_value_heads = wire32(spec.keyValueHeads)
    message.pointee.query_tokens = wire32(spec.queryTokens)
    message.pointee.key_tokens = wire32(spec.keyTokens)
    message.pointee.head_dimension = wire32(spec.headDimension)
    message.pointee.element = Mesh__V1__ElementType(UInt32(spec.element.rawValue))
    mask(spec.mask, into: message)
    message.pointee.head_cuts = wire32(spec.headCuts)
    message.pointee.softcap = spec.logits.softcap ?? 0
    message.pointee.alibi_slopes = words(spec.logits.alibiSlopes.map(\.bitPattern))
    message.pointee.sink_logits = words(spec.logits.sinkLogits.map(\.bitPattern))
    message.pointee.scale = spec.scale
    message.pointee.layout = Mesh__V1__Layout(UInt32(spec.layout.rawValue))
    message.pointee.vranks = wire32(spec.vranks)
    message.pointee.strategy = Mesh__V1__Strategy(UInt32(spec.strategy.rawValue))
    message.pointee.grid_groups = wire32(spec.grid?.groups ?? 0)
    message.pointee.grid_shards = wire32(spec.grid?.shards ?? 0)
    message.pointee.output_gradient = Mesh__V1__ElementType(
      UInt32(spec.outputGradient?.rawValue ?? 0))
    message.pointee.has_batch_dimension = spec.hasBatchDimension ? 1 : 0
    message.pointee.tokens_first = spec.axes == .tokensFirst ? 1 : 0
    return message
  }

  func traffic(_ traffic: Traffic) -> UnsafeMutablePointer<Mesh__V1__Traffic> {
    let message = make(mesh__v1__traffic__init)
    message.pointee.tile_bytes = wire64(traffic.tileBytes)
    message.pointee.input_bytes = wire64(traffic.inputBytes)
    message.pointee.result_bytes = wire64(traffic.resultBytes)
    message.pointee.copy_bytes = wire64(traffic.copyBytes)
    message.pointee.received_bytes = wire64(traffic.receivedBytes)
    message.pointee.dropped = wire64(traffic.dropped)
    message.pointee.compute_seconds = traffic.computeSeconds
    message.pointee.wait_seconds = traffic.waitSeconds
    return message
  }

  func restored(
    _ restored: WorkerMessage.Restored
  ) -> UnsafeMutablePointer<Mesh__V1__Restored> {
    let message = make(mesh__v1__restored__init)
    message.pointee.tier = Mesh__V1__RestoreTier(UInt32(restored.tier.rawValue))
    message.pointee.next = wire32(restored.next)
    return message
  }

  func digest(_ digest: Digest?) -> ProtobufCBinaryData { bytes(digest?.bytes ?? []) }

  func digests(_ digests: [Digest]) -> ProtobufCBinaryData { bytes(digests.flatMap(\.bytes)) }
}

extension JobID {
  init(_ message: Mesh__V1__JobId) { self.init(high: message.high, low: message.low) }

  init(required message: UnsafeMutablePointer<Mesh__V1__JobId>?) throws(WireError) {
    self.init(try MeshWire.required(message, "job"))
  }
}

extension Epoch {
  init(_ message: Mesh__V1__Epoch) { self.init(term: message.term, counter: message.counter) }

  init(
    required message: UnsafeMutablePointer<Mesh__V1__Epoch>?, _ field: StaticString = "epoch"
  ) throws(WireError) {
    self.init(try MeshWire.required(message, field))
  }
}

extension VRank {
  init(wire index: UInt32) throws(WireError) {
    self.init(try number(index, in: 0...(Limits.vranksMaximum - 1), "virtual rank"))
  }
}

extension AttentionJob {
  /// A job that can be computed: nothing multiplies its numbers before `problem` is nil.
  init(required message: UnsafeMutablePointer<Mesh__V1__JobSpec>?) throws(WireError) {
    let message = try MeshWire.required(message, "job specification")
    var spec = AttentionJob(
      batch: Int(message.batch), queryHeads: Int(message.query_heads),
      keyValueHeads: Int(message.key_value_heads), queryTokens: Int(message.query_tokens),
      keyTokens: Int(message.key_tokens), headDimension: Int(message.head_dimension),
      element: try enumeration(message.element.rawValue, "element type"),
      mask: try MaskRule(message), logits: try LogitRule(message), scale: message.scale,
      layout: try enumeration(message.layout.rawValue, "layout"), vranks: Int(message.vranks),
      hasBatchDimension: message.has_batch_dimension != 0,
      axes: message.tokens_first != 0 ? .tokensFirst : .headsFirst)
    spec.headCuts = max(1, Int(message.head_cuts))
    if message.output_gradient.rawValue != 0 {
      spec.outputGradient = try enumeration(message.output_gradient.rawValue, "type of dO")
    }
    spec.strategy = try enumeration(message.strategy.rawValue, "strategy")
    if message.grid_groups != 0 || message.grid_shards != 0 {
      spec.grid = Grid(groups: Int(message.grid_groups), shards: Int(message.grid_shards))
    }
    if let problem = spec.problem { throw .outOfRange(problem) }
    self = spec
  }
}

extension Traffic {
  init(required message: UnsafeMutablePointer<Mesh__V1__Traffic>?) throws(WireError) {
    let message = try MeshWire.required(message, "traffic")
    self.init()
    tileBytes = try byteCount(message.tile_bytes, "tile bytes")
    inputBytes = try byteCount(message.input_bytes, "input bytes")
    resultBytes = try byteCount(message.result_bytes, "result bytes")
    copyBytes = try byteCount(message.copy_bytes, "copy bytes")
    receivedBytes = try byteCount(message.received_bytes, "received bytes")
    dropped = try byteCount(message.dropped, "dropped messages")
    computeSeconds = try seconds(message.compute_seconds, "compute time")
    waitSeconds = try seconds(message.wait_seconds, "waiting time")
  }
}

extension WorkerMessage.Restored {
  /// nil when there is none.
  static func optional(
    _ message: UnsafeMutablePointer<Mesh__V1__Restored>?
  ) throws(WireError) -> WorkerMessage.Restored? {
    guard let message = message?.pointee else { return nil }
    return WorkerMessage.Restored(
      tier: try enumeration(message.tier.rawValue, "tier"),
      next: try tileCount(message.next, "next"))
  }
}

extension Digest {
  init(required data: ProtobufCBinaryData) throws(WireError) {
    guard let digest = try Self.optional(data) else { throw .missingField("digest") }
    self = digest
  }

  /// nil when there are no bytes.
  static func optional(_ data: ProtobufCBinaryData) throws(WireError) -> Digest? {
    guard data.len > 0 else { return nil }
    let bytes = Array(UnsafeBufferPointer(start: data.data, count: data.len))
    guard let digest = Digest(bytes: bytes) else {
      throw .outOfRange("a digest of \(data.len) bytes")
    }
    return digest
  }

  /// Digests one behind the other.
  static func list(_ data: ProtobufCBinaryData, maximum: Int) throws(WireError) -> [Digest] {
    guard data.len % 32 == 0, data.len <= 32 * maximum else {
      throw .outOfRange("digests of \(data.len) bytes")
    }
    let bytes = UnsafeBufferPointer(start: data.data, count: data.len)
    return stride(from: 0, to: bytes.count, by: 32).compactMap {
      Digest(bytes: Array(bytes[$0..<$0 + 32]))
    }
  }
}

extension StatusCode {
  /// As gRPC does: a number that isn't known is an unknown error.
  init(_ code: Mesh__V1__StatusCode) {
    self = UInt8(exactly: code.rawValue).flatMap { StatusCode(rawValue: $0) } ?? .unknown
  }

  var wire: Mesh__V1__StatusCode { Mesh__V1__StatusCode(UInt32(rawValue)) }
}
