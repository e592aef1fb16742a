internal import FoldEngine
internal import MeshCore

/// The arithmetic that a worker's core asks for, done at once; only its report is delivered later.
extension InProcessMesh {
  mutating func begin(_ assignment: Assignment, hosted: [VRank], by index: Int) {
    let plan = Plan(job: assignment.spec, vrankCount: assignment.vrankCount)
    let engine = FoldEngine(plan: plan, kernel: kernel)
    for vrank in hosted { engine.host(vrank) }
    hosts[index].engine = engine
  }

  mutating func compute(_ effect: Worker.Effect, by index: Int) {
    guard let job, let plan, let engine = hosts[index].engine else { return }
    switch effect {
    case .pack(let tile): pack(tile, plan, engine)
    case .unpack(let tile): engine.unpack(tile.index)
    case .fold(let vrank, let tiles):
      let work = engine.fold(vrank, tiles: tiles)
      let scratch = FoldScratch()
      for item in 0..<work.itemCount { work.perform(item, scratch: scratch) }
      report(.folded(job, vrank, next: tiles.upperBound), to: index)
    case .finish(let vrank):
      let result = engine.finish(vrank)
      for item in 0..<result.itemCount { result.perform(item) }
      hosts[index].results[vrank] = result
      report(.finished(job, vrank), to: index)
    case .sendResult(let vrank, let message):
      guard let result = hosts[index].results[vrank], let epoch = epoch(of: vrank) else { return }
      let (tile, part) = plan.resultMessage(of: vrank, message)
      tensors.store(result.payload(message), plan, queryTile: tile, part: part)
      let receipt = ResultReceipt(
        job: job, vrank: vrank, epoch: epoch, message: message, status: .ok)
      network.send(.worker(index, .receipt(receipt)), from: .store)
    case .sendFinal(let vrank):
      guard let epoch = epoch(of: vrank) else { return }
      tell(.stored(job, vrank, epoch))
    case .retire(let vrank):
      engine.retire(vrank)
      hosts[index].results[vrank] = nil
    default: break
    }
  }

  private func pack(_ tile: TileID, _ plan: Plan, _ engine: FoldEngine) {
    for part in 0..<plan.partCount(tile.tensor) {
      tensors.payload(plan, tile, part: part).withUnsafeBytes { payload in
        switch tile.tensor {
        case .query: engine.packQueries(tile: tile.index, part: part, payload: payload)
        case .keyValue: engine.packKeys(tile: tile.index, part: part, payload: payload)
        }
      }
    }
  }

  private mutating func report(_ event: Worker.Event, to index: Int) {
    network.send(.worker(index, event), from: .compute(index))
  }
}
