import ElementTypes
import Foundation
import Testing

extension Integration {
  /// Tiles of so many heads that only one of them fits a window.
  @Suite struct ManyHeads {
    private func inputs(_ scratch: Scratch, heads: Int, tokens: Int) throws -> [String] {
      let fixture = try JobTensors.fixture()
      func tensor(_ data: TensorData, from start: Int) -> TensorData {
        let count = heads * tokens * 64 * data.element.byteCount
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        bytes += data.bytes[start...].prefix(count)
        while bytes.count < count { bytes += data.bytes.prefix(count - bytes.count) }
        return TensorData(element: data.element, shape: [heads, tokens, 64], bytes: bytes)
      }
      return try JobTensors(
        query: tensor(fixture.query, from: 0), key: tensor(fixture.key, from: 0),
        value: tensor(fixture.value, from: 128)
      ).write(to: scratch)
    }

    /// 640 heads, 300 tokens: a tile takes 80 MiB packed, and half of that as it comes.
    @Test(arguments: ["auto", "ring", "ulysses", "usp"])
    func workersStayBelowWhatAdmissionCounts(strategy: String) throws {
      try withScratch { scratch in
        let flags = try inputs(scratch, heads: 640, tokens: 300) + ["--scale", "0.125"]
        let alone = try scratch.attend(flags, name: "alone")
        let mesh = try Mesh(scratch, workers: 3, workerFlags: ["--memory", "512M"])
        try mesh.output(
          ["attend", "--quiet", "--output", scratch.file("mesh.npy"), "--lse"]
            + [scratch.file("mesh-lse.npy"), "--report", scratch.file("report.json")]
            + ["--strategy", strategy] + flags)
        #expect(try scratch.attended("mesh") == alone)
        let report = try jsonObject(text(of: scratch.file("report.json")))
        let bound = try #require(report["worker_bytes_bound"] as? Int)
        let resident = try #require(report["resident_bytes"] as? [Int])
        #expect(bound <= 512 << 20 && resident.count == 3)
        #expect(resident.allSatisfy { $0 <= bound }, "\(resident) of \(bound)")
      }
    }

    /// 1,024 heads: whoever packs a query tile of them is busy for long, and that must not be the thread
    /// that answers peers. What compute threads do, they count: each head of each query tile once to
    /// pack it, and, as there is one K/V tile, once to fold it.
    @Test func computeThreadsPack() throws {
      try withScratch { scratch in
        let (heads, queryTiles) = (1_024, 4)
        let flags =
          try inputs(scratch, heads: heads, tokens: 64 * queryTiles) + ["--scale", "0.125"]
        let alone = try scratch.attend(flags, name: "alone")
        let mesh = try Mesh(scratch, workers: 3, workerFlags: ["--http", "127.0.0.1:0"])
        #expect(try mesh.result(mesh.submit(flags + ["--protection", "off"])) == alone)
        let clients = try mesh.workers.values.map { try HTTPClient($0) }
        try eventually("work of compute threads") {
          try clients.reduce(0) {
            try $0
              + Metrics($1.get("/metrics").body).value("attnmesh_worker_process_items_total")
          } >= Double(2 * heads * queryTiles)
        }
      }
    }

    /// One query tile, and so many heads that every worker gets some of them.
    @Test func fewTokensUseAllWorkers() throws {
      try withScratch { scratch in
        var job = RandomJob(
          workers: 3, heads: 128, keyHeads: 64, tokens: 60, headDimension: 16, mask: "causal")
        job.batch = 4
        job.keyTokens = 700
        let flags = try job.tensors(seed: 41).write(to: scratch) + job.flags
        let alone = try scratch.attend(flags, name: "alone")
        let report = scratch.file("report.json")
        let mesh = try scratch.attend(flags + ["--workers", "3", "--report", report])
        #expect(mesh == alone)
        let found = try jsonObject(text(of: report))
        #expect(found["vranks"] as? Int == 8)
        #expect((found["resident_bytes"] as? [Int])?.count == 3)
        #expect(found["bytes_needed"] as? Int == 0, "no head is needed by two")
      }
    }
  }
}
