internal import CMeshWire
internal import MeshCore

extension Arena {
  func event(_ event: RecordedEvent) -> UnsafeMutablePointer<Mesh__V1__Event> {
    let observation = event.observation
    let message = make(mesh__v1__event__init)
    message.pointee.sequence = event.sequence
    message.pointee.seconds = event.seconds
    message.pointee.wall_seconds = wireTime(event.wallSeconds)
    message.pointee.kind = Mesh__V1__EventKind(UInt32(observation.kind.rawValue))
    message.pointee.job = observation.job.map { job($0) }
    if let worker = observation.worker {
      message.pointee.has_worker_case = MESH__V1__EVENT__HAS_WORKER_WORKER
      message.pointee.worker = name(worker)
    }
    if let vrank = observation.vrank {
      message.pointee.has_vrank_case = MESH__V1__EVENT__HAS_VRANK_VRANK
      message.pointee.vrank = wire32(vrank.index)
    }
    message.pointee.detail = text(observation.detail, maximum: WireCaps.detailBytesMaximum)
    return message
  }
}

extension RecordedEvent {
  init(message: Mesh__V1__Event) throws(WireError) {
    var observation = Observation(try enumeration(message.kind.rawValue, "kind of event"))
    observation.job = message.job.map { JobID($0.pointee) }
    if message.has_worker_case == MESH__V1__EVENT__HAS_WORKER_WORKER {
      observation.worker = try name(message.worker, "worker")
    }
    if message.has_vrank_case == MESH__V1__EVENT__HAS_VRANK_VRANK {
      observation.vrank = try VRank(wire: message.vrank)
    }
    observation.detail = try text(
      message.detail, maximum: WireCaps.detailBytesMaximum, "detail")
    self.init(
      sequence: message.sequence, seconds: try signedSeconds(message.seconds, "time"),
      wallSeconds: try MeshWire.seconds(
        message.wall_seconds, "time of day", maximum: WireCaps.timeOfDayMaximum),
      observation: observation)
  }
}
