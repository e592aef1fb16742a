internal import CMeshWire
internal import MeshCore

extension Arena {
  func fill(_ envelope: UnsafeMutablePointer<Mesh__V1__Envelope>, _ message: WorkerMessage) {
    switch message {
    case .hello(let hello):
      envelope.pointee.version = wire32(hello.version)
      envelope.pointee.sender = hello.worker.incarnation
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_HELLO
      envelope.pointee.hello = self.hello(hello)
    case .heartbeat(let heartbeat):
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_HEARTBEAT
      envelope.pointee.heartbeat = self.heartbeat(heartbeat)
    case .failed(let job, let vrank, let step, let reason):
      let failed = make(mesh__v1__worker_failed__init)
      failed.pointee.job = self.job(job)
      failed.pointee.vrank = wire32(vrank.index)
      failed.pointee.step = wire32(step)
      failed.pointee.reason = text(reason, maximum: Limits.textBytesMaximum)
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_FAILED
      envelope.pointee.failed = failed
    case .alarm(let job, let vrank, let reason):
      let alarm = make(mesh__v1__protection_alarm__init)
      alarm.pointee.job = self.job(job)
      alarm.pointee.vrank = wire32(vrank.index)
      alarm.pointee.reason = text(reason, maximum: Limits.textBytesMaximum)
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_ALARM
      envelope.pointee.alarm = alarm
    case .leaving:
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_LEAVING
      envelope.pointee.leaving = make(mesh__v1__empty__init)
    case .goodbye:
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_GOODBYE
      envelope.pointee.goodbye = make(mesh__v1__empty__init)
    }
  }

  private func hello(_ hello: WorkerMessage.Hello) -> UnsafeMutablePointer<Mesh__V1__Hello> {
    let message = make(mesh__v1__hello__init)
    message.pointee.name = name(hello.name)
    message.pointee.process_id = wire32(hello.processID)
    message.pointee.numerics = name(hello.numerics)
    message.pointee.level = name(hello.level)
    message.pointee.threads = wire32(hello.threads)
    message.pointee.memory_bytes = wire64(hello.memoryBytes)
    message.pointee.endpoint = endpoint(hello.endpoint)
    message.pointee.public_key = publicKey(hello.publicKey)
    message.pointee.machine = name(hello.machine)
    message.pointee.is_spare = hello.isSpare ? 1 : 0
    message.pointee.is_cordoned = hello.isCordoned ? 1 : 0
    message.pointee.term = hello.term
    return message
  }
}

extension WorkerMessage {
  /// The message of an envelope other than a hello; nil for another kind.
  static func received(_ envelope: Mesh__V1__Envelope) throws(WireError) -> WorkerMessage? {
    switch envelope.body_case {
    case MESH__V1__ENVELOPE__BODY_HEARTBEAT:
      return .heartbeat(try Heartbeat(try required(envelope.heartbeat, "heartbeat")))
    case MESH__V1__ENVELOPE__BODY_FAILED:
      let failed = try required(envelope.failed, "failure")
      return .failed(
        try JobID(required: failed.job), try VRank(wire: failed.vrank),
        step: try tileCount(failed.step, "step"),
        reason: try text(failed.reason, maximum: Limits.textBytesMaximum, "reason"))
    case MESH__V1__ENVELOPE__BODY_ALARM:
      let alarm = try required(envelope.alarm, "alarm")
      return .alarm(
        try JobID(required: alarm.job), try VRank(wire: alarm.vrank),
        reason: try text(alarm.reason, maximum: Limits.textBytesMaximum, "reason"))
    case MESH__V1__ENVELOPE__BODY_LEAVING:
      return .leaving
    case MESH__V1__ENVELOPE__BODY_GOODBYE:
      return .goodbye
    default:
      return nil
    }
  }
}

extension WorkerMessage.Hello {
  init(
    _ pointer: UnsafeMutablePointer<Mesh__V1__Hello>?, from worker: WorkerID, version: Int
  ) throws(WireError) {
    let message = try required(pointer, "hello")
    self.init(
      worker: worker, name: try MeshWire.name(message.name, "name"),
      processID: try number(message.process_id, in: 0...WireCaps.processIDMaximum, "process id"),
      version: version, numerics: try MeshWire.name(message.numerics, "numerics"),
      level: try MeshWire.name(message.level, "level"),
      threads: try number(message.threads, in: 0...WireCaps.threadsMaximum, "threads"),
      memoryBytes: try byteCount(message.memory_bytes, "memory"),
      endpoint: try MeshWire.endpoint(message.endpoint, "endpoint"),
      publicKey: try MeshWire.publicKey(message.public_key, "public_key"),
      machine: try MeshWire.name(message.machine, "machine"), isSpare: message.is_spare != 0,
      isCordoned: message.is_cordoned != 0, term: message.term)
  }
}
