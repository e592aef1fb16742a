internal import CMeshWire
internal import MeshCore

extension Arena {
  func heartbeat(
    _ heartbeat: WorkerMessage.Heartbeat
  ) -> UnsafeMutablePointer<Mesh__V1__Heartbeat> {
    let message = make(mesh__v1__heartbeat__init)
    message.pointee.job = heartbeat.job.map { job($0) }
    if heartbeat.revision != .lowest { message.pointee.revision = epoch(heartbeat.revision) }
    message.pointee.term = heartbeat.term
    (message.pointee.n_progress, message.pointee.progress) = list(heartbeat.progress, progress)
    (message.pointee.n_held, message.pointee.held) = list(heartbeat.held) {
      let held = make(mesh__v1__held_copy__init)
      held.pointee.vrank = wire32($0.vrank.index)
      held.pointee.epoch = epoch($0.epoch)
      held.pointee.next = wire32($0.next)
      return held
    }
    (message.pointee.n_unreachable, message.pointee.unreachable) = numbers(
      heartbeat.unreachable.map(\.incarnation))
    message.pointee.computation = computation(heartbeat.computation)
    message.pointee.traffic = traffic(heartbeat.traffic)
    message.pointee.resident_bytes = wire64(heartbeat.residentBytes)
    message.pointee.is_last = heartbeat.isLast ? 1 : 0
    message.pointee.is_cordoned = heartbeat.isCordoned ? 1 : 0
    return message
  }

  private func progress(
    _ progress: WorkerMessage.Progress
  ) -> UnsafeMutablePointer<Mesh__V1__Progress> {
    let message = make(mesh__v1__progress__init)
    message.pointee.vrank = wire32(progress.vrank.index)
    message.pointee.epoch = epoch(progress.epoch)
    message.pointee.next = wire32(progress.next)
    message.pointee.needed = wire32(progress.needed)
    message.pointee.copied = wire32(progress.copied)
    message.pointee.durable = wire32(progress.durable)
    message.pointee.restored = progress.restored.map { restored($0) }
    message.pointee.is_handed_over = progress.isHandedOver ? 1 : 0
    return message
  }

  private func computation(
    _ computation: WorkerMessage.Computation
  ) -> UnsafeMutablePointer<Mesh__V1__Computation> {
    let message = make(mesh__v1__computation__init)
    message.pointee.items_done = computation.itemsDone
    message.pointee.is_busy = computation.isBusy ? 1 : 0
    message.pointee.slow_tile_seconds = computation.slowTileSeconds
    return message
  }
}

extension WorkerMessage.Heartbeat {
  init(_ message: Mesh__V1__Heartbeat) throws(WireError) {
    var unreachable: [WorkerID] = []
    if let workers = message.unreachable {
      for index in 0..<message.n_unreachable {
        unreachable.append(try WorkerID(sender: workers[index]))
      }
    }
    self.init(
      job: message.job.map { JobID($0.pointee) },
      revision: message.revision.map { Epoch($0.pointee) } ?? .lowest, term: message.term,
      progress: try list(
        message.n_progress, message.progress, WorkerMessage.Progress.init(message:)),
      held: try list(message.n_held, message.held, WorkerMessage.HeldCopy.init(message:)),
      unreachable: unreachable,
      computation: try WorkerMessage.Computation(required: message.computation),
      traffic: try Traffic(required: message.traffic),
      residentBytes: try byteCount(message.resident_bytes, "resident bytes"),
      isLast: message.is_last != 0, isCordoned: message.is_cordoned != 0)
  }
}

extension WorkerMessage.Progress {
  init(message: Mesh__V1__Progress) throws(WireError) {
    self.init(
      vrank: try VRank(wire: message.vrank), epoch: try Epoch(required: message.epoch),
      next: try tileCount(message.next, "next"),
      needed: try tileCount(message.needed, "needed"),
      copied: try tileCount(message.copied, "copied"),
      durable: try tileCount(message.durable, "durable"),
      restored: try WorkerMessage.Restored.optional(message.restored),
      isHandedOver: message.is_handed_over != 0)
  }
}

extension WorkerMessage.HeldCopy {
  init(message: Mesh__V1__HeldCopy) throws(WireError) {
    self.init(
      vrank: try VRank(wire: message.vrank), epoch: try Epoch(required: message.epoch),
      next: try tileCount(message.next, "next"))
  }
}

extension WorkerMessage.Computation {
  init(required message: UnsafeMutablePointer<Mesh__V1__Computation>?) throws(WireError) {
    let message = try MeshWire.required(message, "computation")
    self.init()
    itemsDone = message.items_done
    isBusy = message.is_busy != 0
    slowTileSeconds = try seconds(
      message.slow_tile_seconds, "time of a slow tile", maximum: WireCaps.secondsMaximum)
  }
}
