internal import MeshCore

/// Payloads of the parts of every tile of a job's inputs.
struct StoredParts: Sendable {
  /// By tile and part, of the plan with one rank.
  private let query: [[[UInt8]]]
  private let keyValue: [[[UInt8]]]

  init(_ plan: Plan, _ inputs: MemoryTensors) {
    func parts(_ tensor: TileTensor) -> [[[UInt8]]] {
      (0..<plan.tileCount(tensor)).map { index in
        (0..<plan.partCount(tensor)).map {
          inputs.payload(plan, TileID(tensor, index), part: $0)
        }
      }
    }
    query = parts(.query)
    keyValue = parts(.keyValue)
  }

  /// Of a plan of the job, however it cuts the heads.
  func payload(of tile: TileID, part: Int, in plan: Plan) -> [UInt8] {
    let (place, part) = plan.storedPart(of: tile, part: part)
    return tile.tensor == .query ? query[place][part] : keyValue[place][part]
  }

  /// The tiles of a plan of the job, for a run of its program.
  func source(for plan: Plan) -> (TileID, Int, (UnsafeRawBufferPointer) -> Void) -> Void {
    { tile, part, take in payload(of: tile, part: part, in: plan).withUnsafeBytes(take) }
  }
}
