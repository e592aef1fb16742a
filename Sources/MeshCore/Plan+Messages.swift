internal import ElementTypes

/// How tiles are cut into messages of at most `Limits.payloadBytesMaximum`: by heads, since the
/// tokens of a tile belong together. The cut is a function of the job alone, so every holder of a
/// tile has the same parts and may serve any of them.
extension Plan {
  /// Heads of one part of a tile of `tensor` at the most.
  private func headsPerPart(_ tensor: TileTensor) -> Int {
    let rows = tensor == .query ? Self.queryTileRows : Self.keyTileKeys
    return max(1, Limits.payloadBytesMaximum / (rows * rowBytes(tensor)))
  }

  /// Bytes of one token of one head in a tile: of queries in a job of gradients with its dO and its
  /// statistics, of all others of two tensors.
  package func rowBytes(_ tensor: TileTensor) -> Int {
    switch tensor {
    case .query:
      job.headDimension * (job.element.byteCount + (job.outputGradient?.byteCount ?? 0))
        + (job.isBackward ? AttentionJob.rowStatisticsBytes : 0)
    case .keyValue, .hidden: 2 * job.headDimension * job.element.byteCount
    case .partial, .gradient: 2 * job.headDimension * 4
    }
  }

  /// What a part of a tile says about itself; its checksum is yet to be computed.
  package func message(of tile: TileID, part: Int, job id: JobID, planTag: UInt64) -> TilePart {
    TilePart(
      header: PartHeader(job: id, planTag: planTag, tile: tile, part: part),
      heads: heads(of: tile, part: part), tokens: tokens(of: tile),
      headDimension: job.headDimension, element: tile.tensor.isStored ? job.element : .float32,
      rowBytes: rowBytes(tile.tensor), checksum: 0)
  }

  /// Whether tiles of a tensor are the words of a rehearsal.
  private func isRehearsed(_ tensor: TileTensor) -> Bool { job.isRehearsal && !tensor.isStored }

  /// Of tiles that ranks compute in a rehearsal.
  package static let rehearsedParts = 2
  package static let rehearsedPartBytes = 8

  /// Heads between two places where shares may be cut: no part lies across one, so that parts are the
  /// same however the shares are cut.
  private func headsPerCut(_ tensor: TileTensor) -> Int {
    (tensor == .query ? job.flatQueryHeads : job.flatKeyValueHeads) / job.headCuts
  }

  private func partsPerCut(_ tensor: TileTensor) -> Int {
    let perPart = headsPerPart(tensor)
    return (headsPerCut(tensor) + perPart - 1) / perPart
  }

  /// Messages of which a tile of `tensor` consists.
  package func partCount(_ tensor: TileTensor) -> Int {
    guard !isRehearsed(tensor) else { return Self.rehearsedParts }
    return job.headCuts / headGroups * partsPerCut(tensor)
  }

  /// Flattened heads in one part of a tile.
  package func heads(of tile: TileID, part: Int) -> Range<Int> {
    let (cut, place) = part.quotientAndRemainder(dividingBy: partsPerCut(tile.tensor))
    let perCut = headsPerCut(tile.tensor)
    let first = (firstCut(of: location(of: tile).group) + cut) * perCut
    let start = first + place * headsPerPart(tile.tensor)
    return start..<min(start + headsPerPart(tile.tensor), first + perCut)
  }

  /// In which part of a tile one of its flattened heads is, and which of that part's it is.
  package func part(ofHead head: Int, in tile: TileID) -> (part: Int, index: Int) {
    let (cut, place) = (head - firstHead(of: tile))
      .quotientAndRemainder(dividingBy: headsPerCut(tile.tensor))
    let (part, index) = place.quotientAndRemainder(dividingBy: headsPerPart(tile.tensor))
    return (cut * partsPerCut(tile.tensor) + part, index)
  }

  /// The first of the cuts whose heads a tile has.
  private func firstCut(of group: Int) -> Int { group * (job.headCuts / headGroups) }

  /// The place of a tile's tokens among those of its group of heads, and that group.
  private func location(of tile: TileID) -> (place: Int, group: Int) {
    let index = tile.tensor == .partial ? tile.index / vrankCount : tile.index
    return (index / headGroups, index % headGroups)
  }

  /// Where a part stands among the parts of all heads of its tokens, which don't depend on the shares.
  package func storedPart(of tile: TileID, part: Int) -> (place: Int, part: Int) {
    let (place, group) = location(of: tile)
    return (place, firstCut(of: group) * partsPerCut(tile.tensor) + part)
  }

  /// Heads of a tile of `tensor`, which are those of a share.
  package func headCount(_ tensor: TileTensor) -> Int {
    (tensor == .query ? job.flatQueryHeads : job.flatKeyValueHeads) / headGroups
  }

  /// The first flattened head of a tile.
  package func firstHead(of tile: TileID) -> Int {
    location(of: tile).group * headCount(tile.tensor)
  }

  package func tokens(of tile: TileID) -> Range<Int> {
    switch tile.tensor {
    case .query: queryRows(of: tile.index)
    case .keyValue, .hidden, .gradient: keys(of: tile.index)
    case .partial: keys(of: tile.index / vrankCount)
    }
  }

  package func tileCount(_ tensor: TileTensor) -> Int {
    switch tensor {
    case .query: queryTileCount
    case .keyValue, .hidden, .gradient: keyTileCount
    case .partial: keyTileCount * vrankCount
    }
  }

  /// Payload bytes of one part: rows of its heads, for K/V of both tensors.
  package func payloadBytes(of tile: TileID, part: Int) -> Int {
    guard !isRehearsed(tile.tensor) else { return Self.rehearsedPartBytes }
    return heads(of: tile, part: part).count * tokens(of: tile).count * rowBytes(tile.tensor)
  }

  /// Payload bytes of a whole tile.
  package func payloadBytes(of tile: TileID) -> Int {
    guard !isRehearsed(tile.tensor) else { return Self.rehearsedParts * Self.rehearsedPartBytes }
    // Not by parts: admission asks it for every tile of jobs with thousands of parts a tile.
    return headCount(tile.tensor) * tokens(of: tile).count * rowBytes(tile.tensor)
  }

  /// Query heads in every message of a rank's rows but the last: O and log-sum-exp are float32, or dQ.
  package var headsPerResultPart: Int {
    max(1, Limits.payloadBytesMaximum / (Self.queryTileRows * (job.headDimension + 2) * 4))
  }

  /// Messages of a copy that its holder acknowledges at once: few and no more than a mebibyte, so that
  /// the sender hears of a slow connection in time.
  package var copyMessagesPerReceipt: Int {
    let largest = stateBytes(queryTile: 0, part: 0)
    return min(Limits.copyMessagesPerReceipt, max(1, Limits.payloadBytesMaximum / largest))
  }

  /// Messages in which the result of one query tile travels.
  package var resultPartCount: Int {
    (headCount(.query) + headsPerResultPart - 1) / headsPerResultPart
  }

  /// Flattened query heads in one message of a query tile's result.
  package func resultHeads(queryTile: Int, part: Int) -> Range<Int> {
    let first = firstHead(of: .query(queryTile))
    let start = part * headsPerResultPart
    return first + start..<first + min(start + headsPerResultPart, headCount(.query))
  }

  /// Flattened heads in one message of a result: query heads of rows, K/V heads of dK and dV.
  package func resultHeads(_ tile: TileID, part: Int) -> Range<Int> {
    tile.tensor == .query
      ? resultHeads(queryTile: tile.index, part: part) : heads(of: tile, part: part)
  }

  /// What messages of states have, and those of results.
  package var stateKind: SoftmaxState.Kind { job.isBackward ? .gradients : .running }
  package var resultKind: SoftmaxState.Kind { job.isBackward ? .gradients : .normalised }
}
