internal import Checksums
internal import MeshCore

/// What the cores ask for: messages and the store. Whoever interprets an effect otherwise, to lose or
/// to delay it, does it here.
extension InProcessMesh {
  mutating func act(_ effect: Coordinator.Effect) {
    switch effect {
    case .send(let message, let worker):
      guard let index = host(of: worker) else { return }
      network.send(.worker(index, .coordinator(message)), from: .coordinator)
    case .reply(let outcome, _): receive(outcome)
    case .store(let command): act(command)
    case .observe: break
    }
  }

  private mutating func act(_ command: StoreCommand) {
    switch command {
    case .create(let job, _): tell(.created(job))
    case .seal(let job): tell(.sealed(job, tensors.digests))
    case .begin(_, let plan, _, _): self.plan = plan
    case .acknowledge(let job, let vrank, let epoch):
      let receipt = ResultReceipt(job: job, vrank: vrank, epoch: epoch, message: -1, status: .ok)
      for index in hosts.indices where hosts[index].results[vrank] != nil {
        network.send(.worker(index, .receipt(receipt)), from: .store)
      }
    case .finish(let job):
      tell(
        .finished(
          job, output: SHA256.hash(tensors.output), logSumExp: SHA256.hash(tensors.logSumExp)))
    case .drop: break
    }
  }

  func epoch(of vrank: VRank) -> Epoch? {
    hosts.lazy.compactMap { $0.core.run?.assignment.hosts[vrank.index].epoch }.first
  }

  mutating func tell(_ event: StoreEvent) {
    network.send(.coordinator(.store(event)), from: .store)
  }

  mutating func act(_ effect: Worker.Effect, by index: Int) {
    let worker = hosts[index].core.hello.worker
    switch effect {
    case .send(let message):
      network.send(.coordinator(.message(message, from: worker)), from: .worker(index))
    case .beat(let job, let term, let progress, let isLast):
      let beat = WorkerMessage.Heartbeat(
        job: job, term: term, progress: progress, traffic: Traffic(), residentBytes: 0,
        isLast: isLast)
      network.send(.coordinator(.message(.heartbeat(beat), from: worker)), from: .worker(index))
    case .pull(let pull, .store): serveFromStore(pull, to: index)
    case .pull(let pull, .peer(let peer)):
      guard let target = host(ofPeer: peer, as: index) else { return }
      network.send(.worker(target, .pull(pull, from: link(index))), from: .worker(index))
    case .answer(let answer, let pull, let link):
      let target = Int(link.number)
      let event = Worker.Event.answer(answer, pull.job, pull.tile, from: peer(index, as: target))
      network.send(.worker(target, event), from: .worker(index))
    case .serve(let tile, let part, let link):
      guard let job, let plan else { return }
      tileBytes += plan.payloadBytes(of: tile, part: part)
      let target = Int(link.number)
      let event = Worker.Event.part(job, tile, part: part, from: peer(index, as: target))
      network.send(.worker(target, event), from: .worker(index))
    case .begin(let assignment, let hosted): begin(assignment, hosted: hosted, by: index)
    case .pack, .unpack, .fold, .finish, .sendResult, .sendFinal, .retire:
      compute(effect, by: index)
    case .release:
      hosts[index].engine = nil
      hosts[index].results = [:]
    case .forget, .observe: break
    }
  }

  private mutating func serveFromStore(_ pull: Pull, to index: Int) {
    guard let plan else { return }
    func send(_ event: Worker.Event) { network.send(.worker(index, event), from: .store) }
    send(.answer(.have, pull.job, pull.tile, from: .store))
    for part in pull.firstPart..<plan.partCount(pull.tile.tensor) {
      send(.part(pull.job, pull.tile, part: part, from: .store))
    }
  }

  // MARK: Who is who

  /// A worker's links are numbered by the host at the other end.
  private func link(_ index: Int) -> Worker.Link { Worker.Link(number: UInt64(index)) }

  private func host(of worker: WorkerID) -> Int? {
    hosts.firstIndex { $0.core.hello.worker == worker }
  }

  private func host(ofPeer peer: Int, as index: Int) -> Int? {
    hosts[index].core.run.flatMap { host(of: $0.assignment.peers[peer].worker) }
  }

  /// The host `index` as the host `other` names it.
  private func peer(_ index: Int, as other: Int) -> Worker.Source {
    let worker = hosts[index].core.hello.worker
    let peers = hosts[other].core.run?.assignment.peers
    return .peer(peers?.firstIndex { $0.worker == worker } ?? 0)
  }
}
