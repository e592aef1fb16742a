internal import CMeshWire
internal import MeshCore

extension Arena {
  func recovery(_ recovery: Recovery) -> UnsafeMutablePointer<Mesh__V1__Recovery> {
    let message = make(mesh__v1__recovery__init)
    message.pointee.vrank = wire32(recovery.vrank.index)
    message.pointee.epoch = epoch(recovery.epoch)
    message.pointee.worker = name(recovery.worker)
    message.pointee.process_id = wire32(recovery.processID)
    message.pointee.cause = text(recovery.cause, maximum: WireCaps.causeBytesMaximum)
    message.pointee.detection_seconds = recovery.detectionSeconds
    message.pointee.at_seconds = recovery.atSeconds
    message.pointee.host = name(recovery.host)
    message.pointee.lost_at = wire32(recovery.lostAt)
    message.pointee.restored = recovery.restored.map { restored($0) }
    if let seconds = recovery.restoreSeconds {
      message.pointee.has_restore_seconds_case =
        MESH__V1__RECOVERY__HAS_RESTORE_SECONDS_RESTORE_SECONDS
      message.pointee.restore_seconds = seconds
    }
    if let seconds = recovery.caughtUpSeconds {
      message.pointee.has_caught_up_seconds_case =
        MESH__V1__RECOVERY__HAS_CAUGHT_UP_SECONDS_CAUGHT_UP_SECONDS
      message.pointee.caught_up_seconds = seconds
    }
    return message
  }
}

extension Recovery {
  init(message: Mesh__V1__Recovery) throws(WireError) {
    let isRestored =
      message.has_restore_seconds_case == MESH__V1__RECOVERY__HAS_RESTORE_SECONDS_RESTORE_SECONDS
    let isCaughtUp =
      message.has_caught_up_seconds_case
      == MESH__V1__RECOVERY__HAS_CAUGHT_UP_SECONDS_CAUGHT_UP_SECONDS
    self.init(
      vrank: try VRank(wire: message.vrank), epoch: try Epoch(required: message.epoch),
      worker: try name(message.worker, "worker"),
      processID: try number(message.process_id, in: 0...WireCaps.processIDMaximum, "process id"),
      cause: try text(message.cause, maximum: WireCaps.causeBytesMaximum, "cause"),
      detectionSeconds: try seconds(message.detection_seconds, "time of detection"),
      atSeconds: try seconds(message.at_seconds, "time of finding"),
      host: try name(message.host, "host"), lostAt: try tileCount(message.lost_at, "lost tile"),
      restored: try WorkerMessage.Restored.optional(message.restored),
      restoreSeconds: isRestored ? try seconds(message.restore_seconds, "time of restoring") : nil,
      caughtUpSeconds: isCaughtUp
        ? try seconds(message.caught_up_seconds, "time of catching up") : nil)
  }
}
