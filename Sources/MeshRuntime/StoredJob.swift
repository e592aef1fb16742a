internal import Checksums
internal import ElementTypes
internal import MeshCore

/// One job in the store: its files, what its tiles have to be, and who may write.
final class StoredJob {
  let files: JobFiles
  /// Whose job it is.
  var client = ""
  /// CRC32C of every part of every tile, by tile and part: computed when the job was sealed, carried
  /// end to end, and checked at every read.
  var checksums: TileChecksums?
  private(set) var run: Run?
  /// Work on the files that is under way on the I/O thread; they stay open until it is done.
  var pendingWork = 0
  var isDropped = false
  /// The inputs are of no more use; they go when no work needs them open.
  var areInputsDropped = false

  /// What is known once the job has workers.
  struct Run {
    var plan: Plan
    let planTag: UInt64
    /// Who may act for each rank, and which ranks are final.
    var intake: ResultIntake
    /// Where each message of a result stands among those of its rank.
    let places: ResultPlaces
    /// Where the receipt for a rank's end goes.
    var finalLinks: [[UInt8]?]
    /// Whether a rank's result is being compared with its digest.
    var isVerifying: [Bool]
  }

  init(files: JobFiles) { self.files = files }

  func begin(_ table: Assignment, plan: Plan, isFinal: [Bool]) {
    run = Run(
      plan: plan, planTag: table.planHash.tag,
      intake: ResultIntake(tenures: table.tenures, isFinal: isFinal), places: ResultPlaces(plan),
      finalLinks: [[UInt8]?](repeating: nil, count: plan.vrankCount),
      isVerifying: [Bool](repeating: false, count: plan.vrankCount))
  }

  /// The job is over: nobody asks any more what its block map says.
  func forgetBlocks() {
    guard let plan = run?.plan, let unknown = plan.job.blocksUnknown else { return }
    run?.plan = Plan(job: plan.job, vrankCount: plan.vrankCount, blocks: unknown)
  }

  /// Refuses whoever isn't a host of this table from now on.
  func fence(_ table: Assignment) { run?.intake.fence(table.tenures) }

  /// Whether whoever proved to have `key` may act for `vrank` under `epoch`.
  func admits(_ epoch: Epoch, for vrank: VRank, key: PublicKey?) -> Bool {
    run?.intake.admits(epoch, for: vrank, key: key) ?? false
  }

  func awaitFinal(_ vrank: VRank, link: [UInt8]) { run?.finalLinks[vrank.index] = link }

  func setVerifying(_ vrank: VRank, _ value: Bool) { run?.isVerifying[vrank.index] = value }

  func markFinal(_ vrank: VRank) -> [UInt8]? {
    run?.intake.markFinal(vrank)
    return run?.finalLinks[vrank.index]
  }
}
