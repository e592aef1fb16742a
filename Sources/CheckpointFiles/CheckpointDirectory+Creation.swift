internal import Glibc
package import MeshCore

extension CheckpointDirectory {
  /// Makes the file in which the holder of an epoch keeps its checkpoints, in its whole size and
  /// written with zeros: a full disk is met here.
  ///
  /// - Throws: `.stale` where a file of a higher epoch exists.
  package func create(
    _ identity: CheckpointIdentity, epoch: Epoch
  ) throws(CheckpointError) -> CheckpointFile {
    let existing = try names(beginningWith: CheckpointName.prefix(identity.job, identity.vrank))
    try admit(epoch, among: existing)
    let attempts = existing.filter { $0.epoch == epoch }.map(\.attempt)
    let name = CheckpointName(
      job: identity.job, vrank: identity.vrank, epoch: epoch,
      attempt: attempts.max().map { $0 &+ 1 } ?? 0)
    let layout = SlotLayout(partBytes: identity.partBytes)
    guard let file = open(name.partial, O_RDWR | O_CREAT | O_EXCL) else {
      throw .system(errno, "create the checkpoint \(name)")
    }
    do throws(CheckpointError) {
      try reserve(layout.fileBytes, in: file)
      try publish(name)
    } catch {
      // Nothing is left of a file that the disk has no room for. What can't be removed now goes
      // with the job.
      try? remove(name.partial)
      try? remove(name)
      throw error
    }
    return CheckpointFile(
      identity: identity, epoch: epoch, layout: layout, directory: self, name: name, file: file)
  }

  /// - Throws: `.stale` where a finished file of a higher epoch exists.
  func admit(_ epoch: Epoch, among names: [CheckpointName]) throws(CheckpointError) {
    let epochs = names.filter { !$0.isPartial }.map(\.epoch)
    guard CheckpointRules.admits(epoch, existing: epochs) else {
      throw .stale(epochs.reduce(epoch, max))
    }
  }

  /// Writes zeros and not just a length: blocks that were never written cost a change of the file's
  /// tree in every later flush.
  private func reserve(
    _ byteCount: Int, in file: borrowing FileDescriptor
  ) throws(CheckpointError) {
    let zeros = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(byteCount, 1 << 20), alignment: SlotLayout.pageBytes)
    defer { zeros.deallocate() }
    zeros.initializeMemory(as: UInt8.self, repeating: 0)
    var vectors: [iovec] = []
    for offset in stride(from: 0, to: byteCount, by: zeros.count) {
      let count = min(zeros.count, byteCount - offset)
      vectors.append(iovec(iov_base: zeros.baseAddress, iov_len: count))
      try file.write(&vectors, at: offset)
    }
    guard fsync(file.number) == 0 else { throw .system(errno, "flush a new checkpoint") }
  }
}
