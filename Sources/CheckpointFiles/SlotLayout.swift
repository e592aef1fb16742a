/// Where the bytes of a checkpoint file are. It follows from the plan, so that no size that a file
/// claims is ever used.
///
///     file := slot A | slot B
///     slot := header, one page | part table, whole pages | parts, one after the other | zeros to a page
///
/// Slots share no page: a torn write of one can't touch the other. Parts may share one, since a slot
/// with a torn part is lost anyway.
struct SlotLayout: Sendable {
  static let pageBytes = 4096

  let partBytes: [Int]
  /// Where each part begins, from the slot's own beginning.
  let partOffsets: [Int]
  /// Header and table.
  let headBytes: Int
  /// Where the last part ends.
  let endOffset: Int
  let slotBytes: Int

  init(partBytes: [Int]) {
    self.partBytes = partBytes
    headBytes = Self.pageBytes + Self.pages(partBytes.count * PartEntry.byteCount)
    var offset = headBytes
    var offsets: [Int] = []
    offsets.reserveCapacity(partBytes.count)
    for bytes in partBytes {
      offsets.append(offset)
      offset += bytes
    }
    partOffsets = offsets
    endOffset = offset
    slotBytes = Self.pages(offset)
  }

  var payloadBytes: Int { endOffset - headBytes }
  var fileBytes: Int { slotBytes * CheckpointSlot.allCases.count }

  func offset(of slot: CheckpointSlot) -> Int { slot.rawValue * slotBytes }

  /// Rounded up to whole pages.
  private static func pages(_ bytes: Int) -> Int {
    (bytes + pageBytes - 1) / pageBytes * pageBytes
  }
}
