import Glibc
import Testing

extension Integration {
  /// A worker that is killed in the middle of a job with a mask costs no bit, whichever the mask, and its
  /// ranks go on from what was copied.
  @Suite struct MaskLosses {
    static let flags: [[String]] = [
      ["--mask", "causal", "--window", "1500"],
      ["--window", "1200,700"],
      ["--mask", "causal", "--window", "900", "--sink-tokens", "300"],
      ["--mask", "causal", "--documents", "1700,1,1300"],
      ["--documents", "1400,1601", "--key-documents", "1601,1400", "--softcap", "20"],
      ["--mask", "causal", "--alibi", "--layout", "contiguous"],
    ]

    @Test(arguments: flags, ["zigzag", "contiguous"])
    func aKilledWorker(mask: [String], layout: String) throws {
      try withScratch { scratch in
        let inputs =
          try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 3_001)
          .write(to: scratch, name: "slow-") + mask
        let alone = try scratch.attend(inputs, name: "alone")
        let run = try LocalRun(
          scratch, inputs: inputs, workers: 3,
          more: mask.contains("--layout") ? [] : ["--layout", layout],
          environment: SlowJob.slowness(20))
        try run.waitUntilCopied(from: "worker-2")
        kill(try #require(scratch.worker(named: "worker-2")), SIGKILL)
        let (result, report) = try run.result()
        #expect(result == alone)
        let recoveries = try (report["recoveries"] as? [[String: Any]] ?? []).map(Recovered.init)
        #expect(recoveries.contains { $0.tier == "peer memory" }, "\(recoveries)")
      }
    }
  }
}
