import Testing

extension Integration {
  /// Every link carries each tile once, and little else.
  @Suite struct WireBytes {
    @Test(arguments: [2, 4], ["contiguous", "zigzag"])
    func tilesCrossOnce(workers: Int, layout: String) throws {
      try withScratch { scratch in
        let flags =
          try JobTensors.fixture().write(to: scratch) + [
            "--mask", "causal", "--workers", "\(workers)", "--layout", layout, "--threads", "1",
          ]
        // A worker that is asked before its own assignment has come says no, and the tile comes from
        // the store: such a run is no undisturbed one, and sends less between workers.
        var (sent, needed) = (0, 0)
        for _ in 0..<20 where sent <= needed { (sent, needed) = try bytes(scratch, flags) }
        #expect(needed > 0)
        #expect(sent >= needed)
        #expect(Double(sent) <= 1.01 * Double(needed), "\(sent) bytes sent, \(needed) needed")
      }
    }

    private func bytes(_ scratch: Scratch, _ flags: [String]) throws -> (sent: Int, needed: Int) {
      let report = scratch.file("report.json")
      _ = try scratch.attend(flags + ["--report", report])
      let found = try jsonObject(text(of: report))
      let sent = try #require((found["bytes_sent"] as? [String: Any])?["tiles"] as? Int)
      return (sent, try #require(found["bytes_needed"] as? Int))
    }

    /// What scripts read.
    @Test(arguments: [nil, 2])
    func reportHoldsWhatItPromises(workers: Int?) throws {
      try withScratch { scratch in
        let flags = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 700).write(to: scratch)
        let report = scratch.file("report.json")
        _ = try scratch.attend(
          flags + ["--mask", "causal", "--report", report]
            + (workers.map { ["--workers", "\($0)"] } ?? []))
        let found = try jsonObject(text(of: report))
        for key in ["wall_seconds", "flops", "gflops_per_second"] {
          #expect((found[key] as? Double).map { $0 > 0 } == true, "\(key)")
        }
        let pairs = 700.0 * 701 / 2
        #expect(found["flops"] as? Double == 4 * pairs * 64 * 3)
        #expect(found["workers"] as? Int == workers ?? 1)
        #expect((found["compute_seconds"] as? [Double])?.count == workers ?? 1)
        #expect((found["wait_seconds"] as? [Double])?.count == workers ?? 1)
        for key in ["strategy", "strategy_reason", "cpu_level"] {
          #expect((found[key] as? String)?.isEmpty == false, "\(key)")
        }
        #expect(found["failures"] is [Any])
        #expect(found["recoveries"] is [Any])
        #expect(found["bytes_sent"] is [String: Any])
        #expect((found["output_digest"] as? String)?.count == 64)
      }
    }
  }
}
