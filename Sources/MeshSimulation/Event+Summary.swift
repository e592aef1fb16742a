internal import MeshCore

/// Events for transcripts and trace hashes.
extension Worker.Event {
  /// 0 for a tick.
  var number: Int {
    switch self {
    case .tick: 0
    case .coordinator: 1
    case .linkClosed: 3
    case .end: 22
    case .blocks: 27
    case .job(_, let event): event.number
    }
  }

  var summary: String {
    switch self {
    case .tick: "tick"
    case .coordinator(.assign(let table, let term)):
      "assign, revision \(table.revision), term \(term): "
        + table.hosts.enumerated().map { rank, host in
          "\(rank)@\(host.epoch)→\(host.peer.map { "\(table.peers[$0].worker.incarnation)" } ?? "none")"
        }.joined(separator: " ")
    case .coordinator(let message): "\(message)"
    case .linkClosed(let link): "link \(link.number) closed"
    case .blocks(let pull, let bytes): "\(bytes.count) bytes of the block map at \(pull.offset)"
    case .end: "asked to end"
    case .job(_, let event): event.summary
    }
  }
}

extension JobEvent {
  fileprivate var number: Int {
    switch self {
    case .pull: 2
    case .answer: 4
    case .part: 5
    case .badPart: 6
    case .sourceLost: 7
    case .folded: 8
    case .finished: 9
    case .receipt: 10
    case .snapshotTaken: 11
    case .copyReceipt: 12
    case .persisted: 13
    case .persistFailed: 14
    case .copy: 15
    case .badCopy: 16
    case .statePull: 17
    case .stateAnswer: 18
    case .statePart: 19
    case .badStatePart: 20
    case .restored: 21
    case .reach: 23
    case .replayed: 24
    case .passQuestion: 25
    case .passAnswer: 26
    }
  }

  fileprivate var summary: String {
    switch self {
    case .pull(let pull, _): "pull \(pull.tile) from \(pull.worker.incarnation)"
    case .answer(let answer, let tile, let source): "\(answer) \(tile) \(source.summary)"
    case .part(let tile, let part, let source, _): "part \(part) of \(tile) \(source.summary)"
    case .badPart(let tile, let source): "damaged part of \(tile) \(source.summary)"
    case .sourceLost(let source): "lost \(source.summary)"
    case .reach(let peer, let isReachable):
      "\(peer.incarnation) \(isReachable ? "can" : "can't") be reached"
    case .folded(let vrank, let epoch, let next, _): "folded \(vrank)@\(epoch), next \(next)"
    case .finished(let vrank, let epoch): "finished \(vrank)@\(epoch)"
    case .receipt(let receipt):
      "receipt \(receipt.vrank)@\(receipt.epoch) \(receipt.message): \(receipt.status)"
    case .snapshotTaken(let vrank, let epoch, let next, _):
      "snapshot of \(vrank)@\(epoch) at \(next)"
    case .copyReceipt(let receipt, let source):
      "copy receipt \(receipt.vrank)@\(receipt.epoch) \(receipt.next)/\(receipt.message):"
        + " \(receipt.status) \(source.summary)"
    case .persisted(let vrank, let epoch, let slot, let next, _):
      "persisted \(vrank)@\(epoch) slot \(slot) at \(next)"
    case .persistFailed(let vrank, let epoch, let reason):
      "persist failed \(vrank)@\(epoch): \(reason)"
    case .copy(let header, _, _): "copy \(header.summary)"
    case .badCopy(let header, _): "damaged copy \(header.summary)"
    case .statePull(let pull, _): "state pull \(pull.vrank)@\(pull.epoch) \(pull.messages)"
    case .stateAnswer(let answer, let source):
      "state answer \(answer.vrank)@\(answer.epoch) next \(answer.next): \(answer.status)"
        + " \(source.summary)"
    case .statePart(let header, let source, _): "state \(header.summary) \(source.summary)"
    case .badStatePart(let header, let source):
      "damaged state \(header.summary) \(source.summary)"
    case .replayed(let tile): "\(tile) computed once more"
    case .passQuestion(let question, _): "has \(question.vrank) passed \(question.steps)?"
    case .passAnswer(let answer, _): "\(answer.vrank)@\(answer.epoch) has passed \(answer.steps)"
    case .restored(let vrank, let epoch, let restored, _):
      "restored \(vrank)@\(epoch) \(restored.map { "\($0.tier.name) \($0.next)" } ?? "nothing")"
    }
  }
}

extension CopyHeader {
  var summary: String { "\(vrank)@\(epoch) next \(next) message \(message) from \(first)" }
}

extension Worker.Source {
  var summary: String {
    switch self {
    case .store: "from the store"
    case .peer(let worker): "from \(worker.incarnation)"
    }
  }
}

extension Coordinator.Event {
  /// 0 for a tick.
  var number: Int {
    switch self {
    case .tick: 0
    case .call: 1
    case .message: 2
    case .workerGone: 3
    case .store: 4
    case .committed: 5
    case .commitFailed: 6
    case .noted: 7
    case .workerExpelled: 8
    case .processEnded: 9
    case .clock: 10
    case .workerReach: 11
    }
  }

  var summary: String {
    switch self {
    case .tick: "tick"
    case .call(_, let request, _): "call \(request.method.name)"
    case .message(.heartbeat(let beat), let worker):
      "beat of \(worker.incarnation): "
        + beat.progress.map {
          "\($0.vrank)@\($0.epoch) \($0.next)/\($0.needed) copied \($0.copied) durable \($0.durable)"
        }.joined(separator: "; ")
    case .message(let message, let worker): "\(message) of \(worker.incarnation)"
    case .workerGone(let worker, let reason, _): "worker \(worker.incarnation) gone: \(reason)"
    case .workerExpelled(let worker, let reason): "worker \(worker.incarnation) expelled: \(reason)"
    case .processEnded(let name, let reason): "process of \(name) ended: \(reason)"
    case .workerReach(let worker, let isReachable):
      "worker \(worker.incarnation) \(isReachable ? "can" : "can't") be reached"
    case .store(let event): "store: \(event)"
    case .committed(let number): "committed \(number)"
    case .commitFailed(let number, _): "commit \(number) failed"
    case .noted(let observation): "noted \(observation.kind.name)"
    case .clock(let seconds): "clock \(seconds)"
    }
  }
}
