import ElementTypes
import Foundation
import Testing

extension Integration {
  /// Tiles of so many heads that only one of them fits a window.
  @Suite struct ManyHeads {
    /// 640 heads, 300 tokens: a tile takes 80 MiB packed, and half of that as it comes.
    private func inputs(_ scratch: Scratch) throws -> [String] {
      let fixture = try JobTensors.fixture()
      func tensor(_ data: TensorData, from start: Int) -> TensorData {
        let count = 640 * 300 * 64 * data.element.byteCount
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        bytes += data.bytes[start...].prefix(count)
        while bytes.count < count { bytes += data.bytes.prefix(count - bytes.count) }
        return TensorData(element: data.element, shape: [640, 300, 64], bytes: bytes)
      }
      return try JobTensors(
        query: tensor(fixture.query, from: 0), key: tensor(fixture.key, from: 0),
        value: tensor(fixture.value, from: 128)
      ).write(to: scratch)
    }

    @Test func workersStayBelowWhatAdmissionCounts() throws {
      try withScratch { scratch in
        let flags = try inputs(scratch) + ["--scale", "0.125"]
        let alone = try scratch.attend(flags, name: "alone")
        let mesh = try Mesh(scratch, workers: 3, workerFlags: ["--memory", "512M"])
        try mesh.output(
          ["attend", "--quiet", "--output", scratch.file("mesh.npy"), "--lse"]
            + [scratch.file("mesh-lse.npy"), "--report", scratch.file("report.json")] + flags)
        #expect(try scratch.attended("mesh") == alone)
        let report = try jsonObject(text(of: scratch.file("report.json")))
        let bound = try #require(report["worker_bytes_bound"] as? Int)
        let resident = try #require(report["resident_bytes"] as? [Int])
        #expect(bound <= 512 << 20 && resident.count == 3)
        #expect(resident.allSatisfy { $0 <= bound }, "\(resident) of \(bound)")
      }
    }
  }
}
