import AttentionMasks
import ElementTypes
import Glibc
import MeshCore
import MeshRuntime
import Testing

extension Integration {
  /// Block-sparse masks, from the command line to the result.
  @Suite struct BlockMaps {
    /// For 5 heads, 100 queries and 100 keys: blocks of 40 × 30 are 3 × 4.
    static let flags: [([String], String)] = [
      (["--block-map", "map.npy"], "--block-map without --block-size: give both"),
      (["--block-size", "40,30"], "--block-size without --block-map: give both"),
      (["--block-map", "map.npy", "--block-size", "40"], "--block-size 40: it is Q,K"),
      (["--block-map", "map.npy", "--block-size", "a,b"], "--block-size a,b: it is Q,K"),
      (["--block-map", "map.npy", "--block-size", "0,30"], "blocks of 0 × 30 tokens; both must"),
      (["--block-map", "map.npy", "--block-size", "40,-1"], "blocks of 40 × -1 tokens; both"),
      (
        ["--block-map", "map.npy", "--block-size", "30,30"],
        "--block-map map.npy: shape [3, 4]; blocks of 30 × 30 of 100 queries and 100 keys make it"
          + " [4, 4], or [5, 4, 4] with a map for each query head"
      ),
      (["--block-map", "four.npy", "--block-size", "40,30"], "four.npy: shape [4, 3, 4]"),
      (["--block-map", "floats.npy", "--block-size", "40,30"], "'<f4'; bool and uint8 are read"),
      (["--block-map", "missing.npy", "--block-size", "40,30"], "missing.npy"),
      (["--block-map", "map.npy", "--block-size", "40,30", "--sink-tokens", "4"], "4 sink tokens"),
    ]

    @Test(
      arguments: flags,
      [
        ["attend", "--output", "o.npy"], ["attend", "--output", "o.npy", "--workers", "2"],
        ["submit"], ["attend", "--output", "o.npy", "--dry-run"],
      ])
    func areRefused(flags: (flags: [String], says: String), command: [String]) throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 5, keyHeads: 1, tokens: 100, headDimension: 4, mask: "full")
        let files = try job.tensors(seed: 1).write(to: scratch)
        NpyFile.write(scratch.file("map.npy"), type: "|b1", shape: [3, 4], elementBytes: 1)
        NpyFile.write(scratch.file("four.npy"), type: "|u1", shape: [4, 3, 4], elementBytes: 1)
        NpyFile.write(scratch.file("floats.npy"), shape: [3, 4])
        // Nothing listens there: whoever asked it would say so, with another exit code.
        let remote = command == ["submit"] ? ["--coordinator", "tcp://127.0.0.1:9"] : []
        let run = try scratch.run(command + files + flags.flags + remote)
        expectRefusal(run, code: 2, flags.says)
      }
    }

    private struct Case {
      let flags: [String]
      let rule: MaskRule
    }

    /// Together with every other part of a mask.
    private static let cases = [
      Case(flags: [], rule: .full), Case(flags: ["--mask", "causal"], rule: .causal),
      Case(
        flags: ["--mask", "causal", "--window", "500", "--sink-tokens", "100"],
        rule: MaskRule(isCausal: true, left: 500, sinkTokens: 100)),
      Case(
        flags: ["--documents", "700,1,299", "--key-documents", "300,500,100"],
        rule: MaskRule(documents: .init(queries: [700, 1, 299], keys: [300, 500, 100]))),
    ]

    @Test(
      "alone, on a mesh and by definition it is the same, per head and shared", arguments: 0..<8)
    func agrees(number: Int) throws {
      try withScratch { scratch in
        var job = RandomJob(
          workers: 3, heads: 4, keyHeads: 2, tokens: 1_000, headDimension: 16, mask: "full")
        job.keyTokens = 900
        if number % 3 == 1 { job.batch = 2 }
        let tensors = job.tensors(seed: UInt64(number))
        let cells = BlockCells(
          queries: [48, 100][number % 2], keys: [64, 130][number / 2 % 2], of: 1_000, 900,
          heads: number >= 4 ? 4 : nil, seed: UInt64(number))
        let mask = Self.cases[number % 4]
        let files = try tensors.write(to: scratch)
        let flags =
          files + cells.write(to: scratch, type: number % 2 == 0 ? "|b1" : "|u1") + mask.flags
        let alone = try scratch.attend(flags, name: "alone")
        let mesh = try scratch.attend(flags + ["--workers", "3"])
        #expect(mesh == alone)
        var rule = mask.rule
        rule.blocks = cells.block
        let violation = ReferenceCheck(tensors, rule, blocks: cells.map)
          .violation(output: alone.output, logSumExp: alone.logSumExp)
        #expect(violation == nil)
        // Rows of a block row in which nothing is seen.
        let row = 3 * cells.block.queries
        #expect(alone.logSumExp.floats[row] == -.infinity)
        #expect(alone.output.floats[row * 16..<(row + 1) * 16].allSatisfy { $0 == 0 })
        let results = ["--output", scratch.file("o.npy"), "--lse", scratch.file("o-lse.npy")]
        let check = try scratch.run(["check"] + flags + results)
        #expect(try check.wait() == .code(0), "\(check.errors)")
        // Without the map it is another result.
        let other = try scratch.run(["check"] + files + mask.flags + results)
        #expect(try other.wait() == .code(1))
      }
    }

    @Test("only the tiles that the map names cross between workers")
    func bytesFollow() throws {
      try withScratch { scratch in
        let inputs = try JobTensors.fixture().write(to: scratch)
        func bytes(_ flags: [String]) throws -> (sent: Int, needed: Int, flops: Double) {
          let report = scratch.file("report.json")
          _ = try scratch.attend(
            inputs + flags + ["--workers", "3", "--layout", "contiguous", "--report", report])
          let found = try jsonObject(text(of: report))
          let sent = try #require((found["bytes_sent"] as? [String: Any])?["tiles"] as? Int)
          return (
            sent, try #require(found["bytes_needed"] as? Int),
            try #require(found["flops"] as? Double)
          )
        }
        let full = try bytes([])
        // Every row sees the first 256 keys, and nothing else: one tile of twelve.
        let path = scratch.file("first.npy")
        NpyFile.write(path, type: "|u1", shape: [1, 12], elementBytes: 1)
        NpyFile.write(
          path, contents(of: path).dropLast(12) + [1] + [UInt8](repeating: 0, count: 11))
        let first = try bytes(["--block-map", path, "--block-size", "3001,256"])
        #expect(first.needed * 24 < full.needed * 3 && first.needed > 0)
        // A worker that is asked before it has begun says no, and the tile comes from the store.
        #expect(Double(first.sent) <= 1.01 * Double(first.needed) + 2_048)
        #expect(abs(first.flops / full.flops - 256 / 3_001) < 1e-9)
      }
    }

    @Test("the store takes no block map of a job without one, and none that is longer than its own")
    func uploads() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let client = try MeshClient(endpoint: mesh.endpoint, name: "tester")
        var spec = AttentionJob(
          batch: 1, queryHeads: 1, keyValueHeads: 1, queryTokens: 8, keyTokens: 16,
          headDimension: 4, element: .float32, mask: .full, scale: 0.5, layout: .contiguous)
        func submit() throws -> JobID {
          let request = SubmitRequest(spec: spec, deadlineSeconds: 0)
          let outcome = try client.call(.submit(request), isCancelled: { false })
          guard case .success(.submitted(let reply)) = outcome else {
            throw HarnessError("\(outcome)")
          }
          try client.connectStore(reply.storeEndpoint)
          return reply.job
        }
        func upload(_ count: Int, _ tensor: InputTensor, to job: JobID) throws -> Int {
          try [UInt8](repeating: 1, count: count).withUnsafeBytes { bytes in
            try client.upload(job, tensor, at: 0, bytes, isCancelled: { false })
          }
        }
        let plain = try submit()
        let refusal = #expect(throws: MeshError.self) { try upload(2, .blockMap, to: plain) }
        #expect(refusal?.message.contains("job \(plain) has no blockMap") == true)
        #expect(try upload(128, .query, to: plain) == 128)

        spec.mask.blocks = MaskRule.Block(queries: 4, keys: 4)
        let masked = try submit()
        #expect(throws: MeshError.self) { try upload(3, .blockMap, to: masked) }
        #expect(try upload(2, .blockMap, to: masked) == 2)
      }
    }

    @Test("a killed worker costs no bit, and its ranks go on from copies")
    func aKilledWorker() throws {
      try withScratch { scratch in
        let cells = BlockCells(queries: 128, keys: 200, of: 3_001, 3_001, heads: 3, seed: 9)
        let inputs =
          try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 3_001)
          .write(to: scratch, name: "slow-") + cells.write(to: scratch) + ["--mask", "causal"]
        let alone = try scratch.attend(inputs, name: "alone")
        let run = try LocalRun(
          scratch, inputs: inputs, workers: 3, environment: SlowJob.slowness(20))
        try run.waitUntilCopied(from: "worker-2")
        kill(try #require(scratch.worker(named: "worker-2")), SIGKILL)
        let (result, report) = try run.result()
        #expect(result == alone)
        let recoveries = try (report["recoveries"] as? [[String: Any]] ?? []).map(Recovered.init)
        #expect(recoveries.contains { $0.tier == "peer memory" }, "\(recoveries)")
      }
    }

    @Test("a coordinator that is killed goes on with the map that is in its store")
    func coordinatorRestarts() throws {
      try withScratch { scratch in
        let cells = BlockCells(queries: 64, keys: 100, of: 3_001, 3_001, seed: 10)
        let flags =
          try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 3_001).write(to: scratch)
          + cells.write(to: scratch)
        let alone = try scratch.attend(flags, name: "alone")
        let mesh = try Mesh.withStore(scratch, workers: 2, environment: SlowJob.environment)
        let running = try mesh.submit(flags)
        let queued = try mesh.submit(flags + ["--mask", "causal"])
        try mesh.waitUntilCopied(running)
        let before = try mesh.summary(running)
        try mesh.killCoordinator()
        try mesh.restartCoordinator()
        #expect(try mesh.result(running) == alone)
        let after = try mesh.summary(running)
        for key in ["tiles_total", "mask"] {
          #expect("\(before[key] ?? 0)" == "\(after[key] ?? 1)", "\(key)")
        }
        let causal = try scratch.attend(flags + ["--mask", "causal"], name: "causal")
        #expect(try mesh.result(queued, name: "queued") == causal)
        // What was changed in the store meanwhile is no map of the job's.
        let damaged = try mesh.submit(flags)
        try mesh.waitUntilFolding(damaged)
        try mesh.killCoordinator()
        let map = scratch.file("store/\(damaged)/blockMap")
        NpyFile.write(map, contents(of: map).map { ~$0 })
        try mesh.restartCoordinator()
        try eventually("the failure") { try mesh.state(damaged) == "failed" }
        #expect(try "\(mesh.summary(damaged)["reason"] ?? "")".contains("its block map isn't in"))
      }
    }
  }
}
