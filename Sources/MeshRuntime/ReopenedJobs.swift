package import AttentionMasks
internal import Checksums
package import MeshCore

/// What a coordinator found of its jobs' files before it began: files that are there and as they were
/// left, or what is lost of them.
///
/// Unchecked: made by the thread that starts the store's, and from then on used by that one alone.
package final class ReopenedJobs: @unchecked Sendable {
  private var outcomes: [JobID: Result<StoredJob, CallFailure>] = [:]
  /// What the block maps say of jobs that aren't over; for who plans, before the store's thread begins.
  package private(set) var blocks: [JobID: BlockMap] = [:]

  package init() {}

  func add(
    _ job: JobID, _ outcome: Result<StoredJob, CallFailure>, blocks map: BlockMap? = nil
  ) {
    outcomes[job] = outcome
    blocks[job] = map
  }

  /// Hands over what was found of a job; nil when it wasn't looked for.
  func take(_ job: JobID) -> Result<StoredJob, CallFailure>? { outcomes.removeValue(forKey: job) }
}

extension StoreDirectory {
  /// Opens the files of all jobs that aren't over, and of results that are kept.
  ///
  /// - Throws: what keeps this process from reading them, such as a limit or missing rights: they may
  ///   well be there, and whoever called that a loss would remove them.
  package func reopen(_ images: [JobImage]) throws(MeshError) -> ReopenedJobs {
    let jobs = ReopenedJobs()
    for image in images {
      guard let needsInputs = image.needsInputs else { continue }
      do throws(CallFailure) {
        let stored = try reopenStored(image.job, image.spec, needsInputs: needsInputs)
        let blocks = needsInputs ? try stored.files.reader.blocks() : nil
        if let blocks, SHA256.hash(blocks.bytes) != image.inputs?.blockMap {
          throw lost("\(path)/\(image.job)/\(InputTensor.blockMap) is damaged")
        }
        jobs.add(image.job, .success(stored), blocks: blocks)
      } catch {
        guard error.code == .dataLoss else {
          throw MeshError(
            .badInput,
            "--store \(path): job \(image.job) can't be taken up: \(error.message); nothing was"
              + " changed: start the coordinator again when that is mended")
        }
        jobs.add(image.job, .failure(error))
      }
    }
    return jobs
  }

  func reopenStored(
    _ job: JobID, _ spec: AttentionJob, needsInputs: Bool
  ) throws(CallFailure) -> StoredJob {
    let (files, checksums) = try reopen(job, spec, needsInputs: needsInputs)
    let stored = StoredJob(files: files)
    stored.checksums = checksums
    stored.areInputsDropped = !needsInputs
    return stored
  }
}
