import Testing

extension Integration {
  /// How a job is shared out, on the command line: real processes.
  @Suite struct Strategies {
    static let strategies = [
      ["--strategy", "ring"], ["--strategy", "ulysses"], ["--strategy", "usp"],
      ["--strategy", "usp", "--grid", "3,4"], ["--layout", "striped"],
      ["--layout", "striped", "--strategy", "usp", "--grid", "2,3"],
    ]

    /// 2 × 6 query heads of 2 × 3 key/value heads, 700 tokens.
    private func inputs(_ scratch: Scratch) throws -> [String] {
      var job = RandomJob(
        workers: 3, heads: 6, keyHeads: 3, tokens: 700, headDimension: 32, mask: "causal")
      job.batch = 2
      return try job.tensors(seed: 43).write(to: scratch) + ["--mask", "causal"]
    }

    @Test(arguments: strategies)
    func bitsAreThoseOfOneProcess(strategy: [String]) throws {
      try withScratch { scratch in
        let flags = try inputs(scratch)
        let alone = try scratch.attend(flags, name: "alone")
        #expect(try scratch.attend(flags + strategy, name: "one") == alone)
        let report = scratch.file("report.json")
        let mesh = ["--workers", "3", "--report", report]
        #expect(try scratch.attend(flags + strategy + mesh) == alone)
        let found = try jsonObject(text(of: report))
        let name = strategy.contains("--strategy") ? strategy[strategy.count > 4 ? 3 : 1] : "ring"
        #expect(found["strategy"] as? String == name)
        #expect((found["strategy_reason"] as? String)?.isEmpty == false)
        if let place = strategy.firstIndex(of: "--grid") {
          #expect(found["grid"] as? String == strategy[place + 1])
        }
      }
    }

    /// Six groups of heads on three workers: each loads its own, and nothing passes between them.
    @Test func ulyssesPassesNoTile() throws {
      try withScratch { scratch in
        let report = scratch.file("report.json")
        _ = try scratch.attend(
          inputs(scratch) + ["--strategy", "ulysses", "--workers", "3", "--report", report])
        let found = try jsonObject(text(of: report))
        #expect(found["bytes_needed"] as? Int == 0)
        #expect((found["bytes_sent"] as? [String: Int])?["tiles"] == 0)
        let reason = found["strategy_reason"] as? String
        #expect(reason?.contains("no tile passes between workers") == true)
      }
    }

    @Test func aMeshTellsStrategyAndGrid() throws {
      try withScratch { scratch in
        let flags = try inputs(scratch) + ["--strategy", "usp", "--grid", "2,3"]
        let mesh = try Mesh(scratch, workers: 2)
        let tried = try jsonObject(mesh.output(["submit", "--dry-run", "--json"] + flags))
        #expect(tried["grid"] as? String == "2,3" && tried["vranks"] as? Int == 6)
        let job = try mesh.submit(flags)
        #expect(try mesh.result(job) == scratch.attend(inputs(scratch), name: "alone"))
        let status = try mesh.status(job)
        #expect(status["strategy"] as? String == "usp" && status["grid"] as? String == "2,3")
        #expect((status["strategy_reason"] as? String)?.hasPrefix("as asked") == true)
        #expect(try mesh.summary(job)["strategy"] as? String == "usp")
        #expect(try mesh.output(["job", job]).contains("strategy usp 2,3: as asked"))
      }
    }

    /// What can't be had of these tensors: exit code 2 and both numbers, and nothing is done.
    @Test(
      arguments: [
        (["--strategy", "usp", "--grid", "4,2"], "4 groups don't divide", "which is 6"),
        (["--strategy", "usp", "--grid", "2,12"], "12 shards of tokens", "only 11 query tiles"),
        (["--strategy", "usp", "--grid", "2,3", "--vranks", "7"], "6 virtual ranks", "not 7"),
      ], [[], ["--workers", "2"], ["--dry-run"]])
    func refusals(
      refusal: (flags: [String], one: String, other: String), more: [String]
    ) throws {
      try withScratch { scratch in
        let job = try ["attend", "--output", scratch.file("o.npy")] + inputs(scratch)
        expectRefusal(
          try scratch.run(job + refusal.flags + more), code: 2, refusal.one, refusal.other)
        #expect(!scratch.exists("o.npy"))
      }
    }
  }
}
