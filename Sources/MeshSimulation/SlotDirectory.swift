internal import MeshCore

/// A directory of checkpoints on a simulated disk: files of two slots, one for each virtual rank,
/// epoch and attempt.
final class SlotDirectory {
  struct Slot {
    var generation: Int
    var next: Int
    var messages: [StateMessage]
    /// What the rank had published.
    var tiles: [TileID: [[UInt8]]]
    /// Torn, or a bit of it flipped: its digest tells.
    var isDamaged = false
  }

  struct File {
    let vrank: VRank
    let epoch: Epoch
    let writer: Int
    var slots: [Slot?] = [nil, nil]
    /// A write failed: nothing in it can be made durable any more.
    var isDead = false
  }

  enum Failure: String {
    case noSpace = "no space is left"
    case error = "input/output error"
    case failedSync = "flush failed"
    case stale = "this epoch is over"
  }

  private(set) var files: [File] = []
  private var lastGeneration = 0
  var isFull = false
  var hasErrors = false
  var failsNextSync = false
  /// Bits of every other state that is written flip, unnoticed.
  var isRotting = false

  /// What a worker wants to have written.
  struct Write {
    let vrank: VRank
    let epoch: Epoch
    let slot: Int
    let next: Int
    let first: Int
    let messages: [StateMessage?]
    let tiles: [TileID: [[UInt8]]]
    /// It goes into a file that was there when it began.
    let isIntoFile: Bool
  }

  /// Epochs of which the directory has files.
  func epochs(of vrank: VRank) -> [Epoch] {
    files.filter { $0.vrank == vrank }.map(\.epoch)
  }

  /// Writes and syncs; nil when that succeeded, also into a file that was removed meanwhile.
  ///
  /// - Parameter checksEpoch: false for a shell with a defect.
  func write(_ write: Write, by writer: Int, checksEpoch: Bool) -> Failure? {
    if checksEpoch, !CheckpointRules.admits(write.epoch, existing: epochs(of: write.vrank)) {
      return .stale
    }
    if isUnlinked(write, by: writer) { return nil }
    if isFull, file(of: write, writer) == nil { return .noSpace }
    if hasErrors {
      damage(write, writer)
      return .error
    }
    if failsNextSync {
      failsNextSync = false
      damage(write, writer)
      return .failedSync
    }
    let place = file(of: write, writer) ?? create(write, writer)
    let old = files[place].slots[write.slot]
    var messages: [StateMessage] = []
    for (index, message) in write.messages.enumerated() {
      let kept = old.flatMap { index < $0.messages.count ? $0.messages[index] : nil }
      guard let part = index < write.first ? kept : message else { return .error }
      messages.append(part)
    }
    // A later file of the same epoch replaces those that failed.
    let isFirst = old == nil
    lastGeneration += 1
    files[place].slots[write.slot] = Slot(
      generation: lastGeneration, next: write.next, messages: messages,
      tiles: write.tiles, isDamaged: isRotting && lastGeneration % 2 == 0)
    if isFirst {
      files.removeAll {
        $0.vrank == write.vrank && $0.epoch == write.epoch && $0.writer == writer && $0.isDead
      }
    }
    return nil
  }

  /// The process died in a write: what was being overwritten is half of each.
  func tear(_ write: Write, by writer: Int) {
    if !isUnlinked(write, by: writer) { damage(write, writer, isDead: false) }
  }

  private func damage(_ write: Write, _ writer: Int, isDead: Bool = true) {
    let place = file(of: write, writer) ?? create(write, writer)
    files[place].slots[write.slot]?.isDamaged = true
    files[place].isDead = isDead
  }

  private func file(of write: Write, _ writer: Int) -> Int? {
    file(of: write.vrank, write.epoch, writer)
  }

  private func file(of vrank: VRank, _ epoch: Epoch, _ writer: Int) -> Int? {
    files.firstIndex {
      $0.vrank == vrank && $0.epoch == epoch && $0.writer == writer && !$0.isDead
    }
  }

  func hasFile(of vrank: VRank, _ epoch: Epoch, by writer: Int) -> Bool {
    file(of: vrank, epoch, writer) != nil
  }

  /// Somebody removed the file that is being written: what is written has no name any more.
  func isUnlinked(_ write: Write, by writer: Int) -> Bool {
    write.isIntoFile && file(of: write, writer) == nil
  }

  private func create(_ write: Write, _ writer: Int) -> Int {
    files.append(File(vrank: write.vrank, epoch: write.epoch, writer: writer))
    return files.count - 1
  }

  /// The best slot of an epoch no higher than `epoch` whose digests hold, and whether another one was
  /// damaged: nobody can tell then whether that was a better one.
  func best(of vrank: VRank, upTo epoch: Epoch) -> (slot: Slot, epoch: Epoch, isOther: Bool)? {
    if hasErrors { return nil }
    var found: [(slot: Slot, epoch: Epoch)] = []
    for file in files where file.vrank == vrank && file.epoch <= epoch {
      for slot in file.slots { if let slot { found.append((slot, file.epoch)) } }
    }
    found.sort {
      CheckpointRules.isBetter(
        ($0.epoch, UInt64($0.slot.generation)), than: ($1.epoch, UInt64($1.slot.generation)))
    }
    guard let place = found.firstIndex(where: { !$0.slot.isDamaged }) else { return nil }
    let isOther = found.contains { $0.slot.isDamaged }
    return (found[place].slot, found[place].epoch, isOther)
  }

  /// Flips a bit of the newest state of each rank.
  func flipBits() {
    for vrank in Set(files.map(\.vrank)).sorted() {
      let places = files.indices.filter { files[$0].vrank == vrank }.flatMap { file in
        [0, 1].map { (file: file, slot: $0) }
      }
      let newest = places.max { left, right in
        generation(left.file, left.slot) < generation(right.file, right.slot)
      }
      if let newest { files[newest.file].slots[newest.slot]?.isDamaged = true }
    }
  }

  private func generation(_ file: Int, _ slot: Int) -> Int {
    files[file].slots[slot]?.generation ?? 0
  }

  func isDamaged(_ write: Write, by writer: Int) -> Bool {
    file(of: write, writer).flatMap { files[$0].slots[write.slot]?.isDamaged } == true
  }

  /// The result of the rank is final.
  func remove(_ vrank: VRank, upTo epoch: Epoch) {
    files.removeAll { $0.vrank == vrank && $0.epoch <= epoch }
  }

  func removeAll() { files = [] }
}
