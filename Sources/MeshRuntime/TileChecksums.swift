internal import Checksums
package import MeshCore

/// CRC32C of all parts of all tiles of a job. Computed once, when the job is sealed, and never from
/// inputs that were stored before: that would bless whatever they have become.
package struct TileChecksums: Sendable, Equatable {
  private let queries: [UInt32]
  private let keys: [UInt32]
  private let queryParts: Int
  private let keyParts: Int

  /// Of a part of a tile of a plan of the job, however the plan cuts its heads.
  func checksum(of tile: TileID, part: Int, in plan: Plan) -> UInt32 {
    let (place, part) = plan.storedPart(of: tile, part: part)
    return tile.tensor == .query
      ? queries[place * queryParts + part] : keys[place * keyParts + part]
  }

  /// Of all tiles, whether or not a block map names them.
  private static func plan(of spec: AttentionJob) -> Plan {
    Plan(job: spec, vrankCount: 1, blocks: spec.blocksUnknown)
  }

  /// Reads every tile once.
  package init(_ files: JobReader) throws(CallFailure) {
    let plan = Self.plan(of: files.spec)
    queryParts = plan.partCount(.query)
    keyParts = plan.partCount(.keyValue)
    queries = try Self.checksums(.query, plan, files)
    keys = try Self.checksums(.keyValue, plan, files)
  }

  private static func checksums(
    _ tensor: TileTensor, _ plan: Plan, _ files: JobReader
  ) throws(CallFailure) -> [UInt32] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Limits.payloadBytesMaximum, alignment: 64)
    defer { buffer.deallocate() }
    var found: [UInt32] = []
    for index in 0..<plan.tileCount(tensor) {
      let tile = TileID(tensor, index)
      for part in 0..<plan.partCount(tensor) {
        let payload = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<plan.payloadBytes(of: tile, part: part)])
        try files.read(plan.inputRuns(of: tile, part: part), into: payload)
        found.append(crc32c(UnsafeRawBufferPointer(payload)))
      }
    }
    return found
  }
}

// MARK: The file

/// Little-endian words: the header, the checksums of queries, those of keys, and a CRC32C of all
/// that.
extension TileChecksums {
  private static let fileName = "checksums"
  /// And the one that an earlier version may have left.
  static let fileNames = [fileName, fileName + ".new"]

  /// Saves them beside the inputs, and syncs all of it.
  package func save(
    in directory: JobDirectory, of job: JobID, with inputs: JobReader
  ) throws(CallFailure) {
    let counts = [queries.count, queryParts, keys.count, keyParts]
    let words = Self.header(job, counts) + queries + keys
    try directory.save(
      Self.bytes(words + [crc32c(of: Self.bytes(words))]), as: Self.fileName,
      syncing: Array(inputs.inputs.values))
  }

  /// Reads what was saved when the job was sealed.
  ///
  /// - Throws: data loss when it is missing, damaged, or another job's.
  init(in directory: JobDirectory, of job: JobID, _ spec: AttentionJob) throws(CallFailure) {
    let plan = Self.plan(of: spec)
    queryParts = plan.partCount(.query)
    keyParts = plan.partCount(.keyValue)
    let queryCount = plan.tileCount(.query) * queryParts
    let keyCount = plan.tileCount(.keyValue) * keyParts
    let header = Self.header(job, [queryCount, queryParts, keyCount, keyParts])
    let bytes = try directory.load(
      Self.fileName, bytes: 4 * (header.count + queryCount + keyCount + 1))
    let words = Self.words(bytes)
    guard words.last == crc32c(of: bytes.dropLast(4)), words.starts(with: header) else {
      throw lost("\(directory.path)/\(Self.fileName) is damaged")
    }
    queries = Array(words[header.count...].prefix(queryCount))
    keys = Array(words[(header.count + queryCount)...].dropLast())
  }

  /// "AMTC", the version, whose tiles they are, and how many.
  private static func header(_ job: JobID, _ counts: [Int]) -> [UInt32] {
    let id = [job.high, job.low].flatMap { [UInt32($0 >> 32), UInt32(truncatingIfNeeded: $0)] }
    return [0x4354_4d41, 1] + id + counts.map { UInt32(truncatingIfNeeded: $0) }
  }

  private static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  private static func words(_ bytes: [UInt8]) -> [UInt32] {
    stride(from: 0, to: bytes.count, by: 4).map { start in
      (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) }
    }
  }
}

private func crc32c(of bytes: some Collection<UInt8>) -> UInt32 {
  Array(bytes).withUnsafeBytes { crc32c($0) }
}
