import Foundation
import Testing

extension Integration {
  /// `bench masks` in little: its results are verified by itself, needed bytes are
  /// the same in every run. Times aren't looked at.
  @Suite struct MaskBench {
    @Test("bytes follow the mask, and rows of every mask were verified")
    func bytesFollow() throws {
      try withScratch { scratch in
        let run = try scratch.run([
          "bench", "masks", "--json", "--quiet", "--tokens", "2048", "--repetitions", "1",
          "--mesh-tokens", "8192", "--workers", "2",
        ])
        #expect(try run.wait() == .code(0), "\(run.errors)")
        let result = try jsonObject(run.output)
        let heads = try #require(result["heads"] as? [[String: Any]])
        #expect(
          heads.compactMap { $0["mask"] as? String } == [
            "causal, window 1023 before", "causal, window 1023 before, 64 sink tokens",
            "causal, 8 documents",
          ])
        #expect(heads.allSatisfy { $0["rows_verified"] as? Int == 64 })
        // Of 2,048 tokens: all rows but the first 1,023 see 1,024 keys.
        let pairs = heads.compactMap { $0["pairs_over_causal"] as? Double }
        let causal = 2_048.0 * 2_049 / 2
        #expect(abs(pairs[0] - (1_023 * 1_024 / 2 + 1_025 * 1_024) / causal) < 1e-9)
        #expect(abs(pairs[2] - 8 * (256 * 257 / 2) / causal) < 1e-9)

        #expect(result["tile_bytes"] as? Int == 64 << 10)
        let meshes = try #require(result["meshes"] as? [[String: Any]])
        #expect(meshes.count == 8)
        var needed: [String: [String: Int]] = [:]
        for mesh in meshes {
          let traffic = try #require(mesh["traffic"] as? [String: Any])
          let mask = try #require(mesh["mask"] as? String)
          // What is sent is compared by the bench's goals: a busy machine changes it both ways.
          #expect(try #require(traffic["sent_bytes"] as? Int) > 0, "\(traffic)")
          needed[traffic["layout"] as? String ?? "", default: [:]][mask] =
            try #require(traffic["needed_bytes"] as? Int)
        }
        // A quarter of 32 tiles, of which each worker has a part and gets the rest from the other.
        let blocks = meshes.filter { ($0["mask"] as? String)?.contains("a map of blocks") == true }
        for mesh in blocks {
          let traffic = try #require(mesh["traffic"] as? [String: Any])
          #expect(traffic["needed_bytes"] as? Int == 8 * (64 << 10))
          let pairs = try #require(mesh["pairs_over_causal"] as? Double)
          #expect(abs(pairs - 8_192 * 2_048 / (8_192.0 * 8_193 / 2)) < 1e-9)
        }
        #expect(blocks.count == 2)
        for (layout, needed) in needed {
          let causal = try #require(needed["causal"])
          for (mask, bytes) in needed where mask != "causal" {
            #expect(Double(bytes) < 0.6 * Double(causal), "\(layout), \(mask)")
          }
        }
        let goals = try #require(
          (result["findings"] as? [String: Any])?["goals"] as? [[String: Any]])
        // Of the eight jobs, and of documents in both layouts; none of the time of so short a head.
        #expect(goals.count == 10)
      }
    }
  }
}
