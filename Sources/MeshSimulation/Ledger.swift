internal import MeshCore

/// What really happened, noted outside the cores and compared with what they say. The first thing that
/// must not be is kept, and ends the run.
final class Ledger {
  let job: SimulatedJob
  var now = 0
  var isCalm = false
  private(set) var violation: Violation?

  // Of the committed state.
  var tables: [Epoch: Assignment] = [:]
  var latest: Assignment?
  /// Who was given what under an epoch; nobody, while a rank has no host.
  var owners: [Epoch: (vrank: VRank, worker: WorkerID?, since: Int)] = [:]
  var finals: [Bool] = []
  var committedState: JobState?

  // Of resources: the highest epoch that each saw of each rank.
  var storeEpochs: [Epoch] = []
  /// Peer memories, by process.
  var seen: [[Epoch]] = []
  /// Copies that were whole in some worker's memory, and checkpoints that were synced.
  var copies: Set<Protected> = []
  var checkpoints: Set<Protected> = []
  var credits: [Credit: Int] = [:]

  // As told to the client.
  var told: JobStatus?
  var toldRanks = ToldRanks()

  struct Protected: Hashable {
    let vrank: VRank
    let next: Int
  }

  struct Credit: Hashable {
    let process: Int
    let link: Worker.Link
    let tile: TileID
  }

  init(job: SimulatedJob) { self.job = job }

  func fail(_ invariant: Invariant, _ detail: @autoclosure () -> String) {
    guard violation == nil else { return }
    violation = Violation(
      invariant: invariant, detail: detail(), at: Double(now) / Double(Time.second))
  }

  /// A job that died with its coordinator before it had workers is submitted again, as another.
  func forgetJob() {
    tables = [:]
    latest = nil
    finals = []
    committedState = nil
    told = nil
    toldRanks = ToldRanks()
    copies = []
    checkpoints = []
  }

  func started(_ worker: WorkerProcess) {
    precondition(worker.index == seen.count)
    seen.append([])
  }

  func ended(_ worker: WorkerProcess) { seen[worker.index] = [] }

  // MARK: The client

  /// I7: what is terminal stays.
  func note(_ status: JobStatus) {
    defer { told = status }
    guard let told else { return }
    if told.summary.state.isTerminal {
      if status.summary.state != told.summary.state {
        fail(
          .oneEnd,
          "the job was \(told.summary.state.name) and is \(status.summary.state.name)")
      }
      if status.outputDigest != told.outputDigest {
        fail(.oneEnd, "the digest of the output changed")
      }
    }
  }

  // MARK: The coordinator's disk

  /// I4: owners and epochs; I7: final means synced.
  func committed(_ image: JobImage, files: ResultFiles?) {
    if let committedState, committedState.isTerminal, image.state != committedState {
      fail(.oneEnd, "a job that was \(committedState.name) on disk is \(image.state.name)")
    }
    committedState = image.state
    guard let run = image.run else { return }
    if image.state == .done, !run.isFinal.allSatisfy({ $0 }) {
      fail(.oneEnd, "the job is done, and a rank isn't final")
    }
    commit(run.table)
    if finals.isEmpty { finals = [Bool](repeating: false, count: run.isFinal.count) }
    for rank in finals.indices {
      if finals[rank], !run.isFinal[rank] { fail(.oneEnd, "rank \(rank) is no longer final") }
      if !finals[rank], run.isFinal[rank], files?.isDurable(VRank(rank)) != true {
        fail(.oneEnd, "rank \(rank) is final, and its result isn't on disk")
      }
      finals[rank] = run.isFinal[rank]
    }
  }

  private func commit(_ table: Assignment) {
    if let known = tables[table.revision], known != table {
      fail(.oneOwner, "two tables have the revision \(table.revision)")
    }
    if let latest, table.revision < latest.revision {
      fail(.oneOwner, "revision \(table.revision) follows \(latest.revision)")
    }
    for (rank, host) in table.hosts.enumerated() {
      let worker = table.worker(host.peer)
      let old = latest?.hosts[rank]
      if let old, host.epoch < old.epoch {
        fail(.oneOwner, "rank \(rank) went from epoch \(old.epoch) to \(host.epoch)")
      }
      if let owner = owners[host.epoch] {
        if owner.vrank != VRank(rank) || owner.worker != worker {
          fail(.oneOwner, "epoch \(host.epoch) was given twice, the second time for rank \(rank)")
        }
      } else {
        owners[host.epoch] = (VRank(rank), worker, now)
      }
    }
    tables[table.revision] = table
    latest = table
  }

  // MARK: The store

  func storeSaw(_ epochs: [Epoch]) {
    if storeEpochs.count != epochs.count { storeEpochs = epochs }
    for rank in epochs.indices { storeEpochs[rank] = max(storeEpochs[rank], epochs[rank]) }
  }

  /// I3: the store takes something.
  func storeTakes(_ epoch: Epoch, _ vrank: VRank, _ what: String) {
    guard storeEpochs.indices.contains(vrank.index) else { return }
    if epoch < storeEpochs[vrank.index] {
      fail(
        .staleEpoch,
        "the store took \(what) of rank \(vrank) under \(epoch) after \(storeEpochs[vrank.index])")
    }
    storeEpochs[vrank.index] = max(epoch, storeEpochs[vrank.index])
  }
}
