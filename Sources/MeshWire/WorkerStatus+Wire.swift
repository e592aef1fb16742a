internal import CMeshWire
internal import MeshCore

extension Arena {
  func worker(_ worker: WorkerStatus) -> UnsafeMutablePointer<Mesh__V1__WorkerStatus> {
    let message = make(mesh__v1__worker_status__init)
    message.pointee.worker = worker.worker.incarnation
    message.pointee.name = name(worker.name)
    message.pointee.process_id = wire32(worker.processID)
    message.pointee.numerics = name(worker.numerics)
    message.pointee.level = name(worker.level)
    message.pointee.threads = wire32(worker.threads)
    message.pointee.memory_bytes = wire64(worker.memoryBytes)
    message.pointee.resident_bytes = wire64(worker.residentBytes)
    message.pointee.endpoint = endpoint(worker.endpoint)
    message.pointee.silent_seconds = worker.silentSeconds
    message.pointee.job = worker.job.map { job($0) }
    (message.pointee.n_vranks, message.pointee.vranks) = numbers(
      worker.vranks.map { wire32($0.index) })
    message.pointee.standing = Mesh__V1__WorkerStanding(UInt32(worker.standing.rawValue))
    message.pointee.loss = worker.loss.map { loss in
      let message = make(mesh__v1__worker_loss__init)
      message.pointee.at = wireTime(loss.at)
      message.pointee.reason = text(loss.reason, maximum: WireCaps.causeBytesMaximum)
      return message
    }
    return message
  }
}

extension WorkerStatus {
  init(message: Mesh__V1__WorkerStatus) throws(WireError) {
    var vranks: [VRank] = []
    if let indices = message.vranks {
      for index in 0..<message.n_vranks { vranks.append(try VRank(wire: indices[index])) }
    }
    self.init(
      worker: try WorkerID(sender: message.worker), name: try MeshWire.name(message.name, "name"),
      processID: try number(message.process_id, in: 0...WireCaps.processIDMaximum, "process id"),
      numerics: try MeshWire.name(message.numerics, "numerics"),
      level: try MeshWire.name(message.level, "level"),
      threads: try number(message.threads, in: 0...WireCaps.threadsMaximum, "threads"),
      memoryBytes: try byteCount(message.memory_bytes, "memory"),
      residentBytes: try byteCount(message.resident_bytes, "resident bytes"),
      endpoint: try MeshWire.endpoint(message.endpoint, "endpoint"),
      silentSeconds: try seconds(message.silent_seconds, "silence"),
      job: message.job.map { JobID($0.pointee) }, vranks: vranks,
      standing: try enumeration(message.standing.rawValue, "standing"),
      loss: try message.loss.map { loss throws(WireError) in
        WorkerLoss(
          at: try seconds(loss.pointee.at, "time of loss", maximum: WireCaps.timeOfDayMaximum),
          reason: try text(
            loss.pointee.reason, maximum: WireCaps.causeBytesMaximum, "reason"))
      })
  }
}
