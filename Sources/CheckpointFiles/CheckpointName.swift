internal import MeshCore

/// The name of a checkpoint file: `<job>-<vrank>-<term>-<counter>-<attempt>.amck`.
///
/// A file for each epoch fences without locks: who holds an old epoch can only write an old file.
struct CheckpointName: Sendable, Equatable, CustomStringConvertible {
  private static let ending = ".amck"
  /// Of a file that is still being made. A process that ended meanwhile leaves it behind.
  private static let partialEnding = ".amck.partial"

  let job: JobID
  let vrank: VRank
  let epoch: Epoch
  /// Counts the files of one epoch: one that failed is never written again.
  let attempt: UInt64
  var isPartial = false

  init(job: JobID, vrank: VRank, epoch: Epoch, attempt: UInt64) {
    self.job = job
    self.vrank = vrank
    self.epoch = epoch
    self.attempt = attempt
  }

  /// A name in the form that `description` gives; nil for anything else.
  init?(_ text: String) {
    let fields = text.split(separator: "-", omittingEmptySubsequences: false)
    guard fields.count == 5, let job = JobID(String(fields[0])), let vrank = Int(fields[1]),
      let term = UInt64(fields[2]), let counter = UInt64(fields[3]),
      let attempt = UInt64(fields[4].prefix { $0 != "." })
    else { return nil }
    self.init(
      job: job, vrank: VRank(vrank), epoch: Epoch(term: term, counter: counter), attempt: attempt)
    isPartial = text.hasSuffix(Self.partialEnding)
    // A number can be spelled in several ways, a name can't.
    guard vrank >= 0, description == text else { return nil }
  }

  /// What the names of all files of a job begin with.
  static func prefix(_ job: JobID) -> String { "\(job)-" }

  /// What the names of all files of a virtual rank begin with.
  static func prefix(_ job: JobID, _ vrank: VRank) -> String { "\(job)-\(vrank)-" }

  var description: String {
    "\(Self.prefix(job, vrank))\(epoch.term)-\(epoch.counter)-\(attempt)"
      + (isPartial ? Self.partialEnding : Self.ending)
  }

  /// The same file while it is being made.
  var partial: CheckpointName {
    var name = self
    name.isPartial = true
    return name
  }
}
