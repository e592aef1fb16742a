internal import AttentionMasks
package import Checksums

/// Who hosts what: the whole table of a job, sent to every worker that takes part. Each entry was
/// committed before it was announced.
package struct Assignment: Hashable, Sendable, Codable {
  package let job: JobID
  package let spec: AttentionJob
  package let inputs: InputDigests
  package let vrankCount: Int
  package let planHash: Digest
  /// Of the whole table: a higher one replaces a lower one. Minted from the same counter as epochs.
  package let revision: Epoch
  /// Whether (O, m, l, next) is copied and checkpointed while the job runs.
  package let isProtected: Bool
  /// Workers of the job in ring order. The needers' ring of a tile runs over this order.
  package let peers: [Peer]
  /// For each virtual rank, by index: its host and the epoch under which it hosts.
  package let hosts: [Host]

  package init(
    job: JobID, spec: AttentionJob, inputs: InputDigests, vrankCount: Int, planHash: Digest,
    revision: Epoch, isProtected: Bool, peers: [Peer], hosts: [Host]
  ) {
    self.job = job
    self.spec = spec
    self.inputs = inputs
    self.vrankCount = vrankCount
    self.planHash = planHash
    self.revision = revision
    self.isProtected = isProtected
    self.peers = peers
    self.hosts = hosts
  }

  /// A worker of the job and where it serves tiles.
  package struct Peer: Hashable, Sendable, Codable {
    package let worker: WorkerID
    package let endpoint: String
    /// What it has to prove to be; nil in a mesh without keys.
    package let publicKey: PublicKey?

    package init(worker: WorkerID, endpoint: String, publicKey: PublicKey? = nil) {
      self.worker = worker
      self.endpoint = endpoint
      self.publicKey = publicKey
    }
  }

  /// The host of one virtual rank, and where its copies are.
  package struct Host: Hashable, Sendable, Codable {
    /// Index into `peers`; nil while no worker can take the rank.
    package var peer: Int?
    package var epoch: Epoch
    package var duty: Duty
    /// The peer in whose memory the host keeps its copies: never the host itself.
    package var holder: Int?
    /// Peers in whose memory a copy of an earlier epoch may be, the best first.
    package var sources: [Int]
    /// Nothing was folded under an earlier epoch: the host begins at the first step and looks for no state.
    package var isFresh: Bool

    package init(
      peer: Int?, epoch: Epoch, duty: Duty = .fold, holder: Int? = nil, sources: [Int] = [],
      isFresh: Bool = true
    ) {
      self.peer = peer
      self.epoch = epoch
      self.duty = duty
      self.holder = holder
      self.sources = sources
      self.isFresh = isFresh
    }

    /// The most sources that are named.
    package static let sourcesMaximum = 2

    /// A peer that was the holder, and has a copy, keeps it: until the next holder has one, that is all
    /// there is.
    mutating func keepAsSource(_ former: Int?) {
      guard let former, former != peer, !sources.contains(former) else { return }
      sources = Array(([former] + sources).prefix(Self.sourcesMaximum))
    }
  }

  /// What allows to act for a virtual rank.
  package struct Tenure: Hashable, Sendable {
    package let epoch: Epoch
    /// What the host has to prove to be; nil in a mesh without keys, and while there is no host.
    package let publicKey: PublicKey?

    package init(epoch: Epoch, publicKey: PublicKey? = nil) {
      self.epoch = epoch
      self.publicKey = publicKey
    }
  }

  /// What a host does for its virtual rank.
  package enum Duty: UInt8, Sendable, CaseIterable, Codable {
    /// Fold, and serve its shard.
    case fold = 1
    /// Stop at the next boundary and copy what is folded, so that another host goes on from there.
    case handOver = 2
    /// The result is final: serve the shard.
    case serve = 3
  }

  /// Why the table is not one a coordinator makes; nil when it is. Checked before anything is
  /// believed: indices in it are used without further checks.
  package var problem: String? {
    if let problem = spec.problem { return problem }
    guard (1...Limits.vranksMaximum).contains(vrankCount), hosts.count == vrankCount else {
      return "\(hosts.count) hosts for \(vrankCount) virtual ranks"
    }
    guard (1...Limits.workersMaximum).contains(peers.count) else {
      return "\(peers.count) workers"
    }
    guard hosts.allSatisfy({ isInTable($0) }) else { return "a host outside the table of workers" }
    guard hosts.allSatisfy({ $0.holder == nil || $0.holder != $0.peer }) else {
      return "a host that keeps its own copies"
    }
    guard Set(peers.map(\.worker)).count == peers.count else { return "a worker named twice" }
    guard inputs.areComplete(for: spec) else {
      return "digests of other tensors than the job has"
    }
    let plan = Plan(job: spec, vrankCount: vrankCount, blocks: spec.blocksUnknown)
    guard plan.vrankCount == vrankCount else {
      return "\(vrankCount) virtual ranks for fewer query tiles"
    }
    return nil
  }

  private func isInTable(_ host: Host) -> Bool {
    let named = [host.peer, host.holder].compactMap(\.self) + host.sources
    return named.allSatisfy { peers.indices.contains($0) }
      && host.sources.count <= Host.sourcesMaximum
  }

  /// Whether everything but the hosts is the same: another table of the same run.
  package func isSamePlan(as other: Assignment) -> Bool {
    job == other.job && spec == other.spec && inputs == other.inputs
      && vrankCount == other.vrankCount && planHash == other.planHash
      && isProtected == other.isProtected
  }

  /// The next table of the same run.
  func replaced(peers: [Peer], hosts: [Host], revision: Epoch) -> Assignment {
    Assignment(
      job: job, spec: spec, inputs: inputs, vrankCount: vrankCount, planHash: planHash,
      revision: revision, isProtected: isProtected, peers: peers, hosts: hosts)
  }

  /// Who may act for each virtual rank, by index.
  package var tenures: [Tenure] {
    hosts.map { host in
      Tenure(epoch: host.epoch, publicKey: host.peer.flatMap { peers[$0].publicKey })
    }
  }

  /// Index of a worker in `peers`.
  package func peer(of worker: WorkerID) -> Int? { peers.firstIndex { $0.worker == worker } }

  /// The worker at an index of `peers`.
  package func worker(_ peer: Int?) -> WorkerID? { peer.map { peers[$0].worker } }
}

/// Which worker a tile is asked of, and which workers need it at all: the needers' ring.
package struct Ring: Sendable {
  package let plan: Plan
  private let hosts: [Int?]
  /// K/V tiles in which some row hosted by each peer sees some key: of each group of heads that it has
  /// ranks of.
  private let needed: [[NeededTiles]]

  package init(plan: Plan, assignment: Assignment) {
    self.plan = plan
    hosts = assignment.hosts.map(\.peer)
    var needed = [[NeededTiles]](repeating: [], count: assignment.peers.count)
    for vrank in plan.vranks where assignment.hosts[vrank.index].duty != .serve {
      guard let peer = assignment.hosts[vrank.index].peer else { continue }
      plan.neededKeyTiles(of: vrank).join(&needed[peer])
    }
    self.needed = needed
  }

  /// The peer that owns a tile, as the host of the rank whose it is; nil while that has no host: then only
  /// the store has it, if it is one of the inputs.
  package func owner(of tile: TileID) -> Int? { hosts[plan.owner(of: tile).index] }

  /// Whether some row hosted by `peer` sees some key of K/V tile `tile`.
  package func needs(_ peer: Int, tile: Int) -> Bool {
    needed[peer].contains { $0.contains(tile) }
  }

  /// The peer of which `peer` asks a K/V tile: the previous one in the cyclic order of peers that
  /// starts at the tile's owner, leaving out those that don't need it; nil when it has no owner.
  package func source(of tile: Int, for peer: Int) -> Int? {
    guard let owner = owner(of: .keyValue(tile)) else { return nil }
    var candidate = peer
    repeat {
      candidate = candidate == 0 ? needed.count - 1 : candidate - 1
    } while candidate != owner && candidate != peer && !needs(candidate, tile: tile)
    return candidate == peer ? owner : candidate
  }

  /// Payload bytes that have to cross between workers, at the least: over all workers, the foreign
  /// tiles in which some row of theirs sees some key, and the accumulators that go from one to another.
  package var neededBytes: Int { neededTileBytes + travellingBytes }

  private var travellingBytes: Int {
    guard plan.job.isBackward else { return 0 }
    return plan.vranks.reduce(0) { total, vrank in
      let steps = plan.steps(of: vrank)
      return (0..<steps.count).reduce(total) { total, step in
        guard let tile = steps.publishes(step), let reader = steps.reader(of: tile),
          hosts[reader.index] != hosts[vrank.index]
        else { return total }
        return total + plan.payloadBytes(of: tile)
      }
    }
  }

  private var neededTileBytes: Int {
    // All tiles but those of the last tokens are as large as the first.
    let bytes = plan.payloadBytes(of: .keyValue(0))
    let last = plan.keyTileCount - plan.headGroups..<plan.keyTileCount
    let missing = bytes - plan.payloadBytes(of: .keyValue(last.lowerBound))
    var total = 0
    for peer in needed.indices {
      let own = plan.vranks.filter { hosts[$0.index] == peer }.reduce(0) {
        $0 + plan.keyTiles(of: $1).count { needs(peer, tile: $0) }
      }
      let foreign = needed[peer].reduce(0) { $0 + $1.count } - own
      total += foreign * bytes
      total -= last.count { needs(peer, tile: $0) && owner(of: .keyValue($0)) != peer } * missing
    }
    return total
  }
}
