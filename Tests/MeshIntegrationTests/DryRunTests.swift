import Glibc
import Testing

extension Integration {
  /// `--dry-run` says what a job would take and what stands in its way, and does nothing.
  @Suite struct DryRuns {
    private func inputs(_ scratch: Scratch) throws -> [String] {
      try JobTensors.fixture(heads: 6, keyHeads: 3, tokens: 901).write(to: scratch)
        + ["--mask", "causal"]
    }

    private func expectNothingDone(_ scratch: Scratch) {
      #expect(!scratch.exists("o.npy"))
      #expect(scratch.names(in: scratch.temporary) == [])
    }

    @Test(arguments: [nil, 3])
    func onThisMachine(workers: Int?) throws {
      try withScratch { scratch in
        let mesh = workers.map { ["--workers", "\($0)"] } ?? []
        let job = try ["attend", "--dry-run", "--output", "o.npy"] + inputs(scratch) + mesh
        let run = try scratch.run(job)
        #expect(try run.wait() == .code(0), "\(run.errors)")
        for text in ["key.npy: [3, 901, 64] float16", "output   o.npy: [6, 901, 64] float32"] {
          #expect(run.output.contains(text), "\(run.output)")
        }
        for name in ["job ", "memory ", "ranks ", "time "] {
          #expect(run.output.contains("\n\(name)"), "\(run.output)")
        }
        let found = try jsonObject(scratch.run(job + ["--json"]).output)
        #expect(found["refusals"] as? [String] == [])
        let pairs = 901 * 902 / 2
        let flops = Double(4 * pairs * 64 * 6)
        #expect(found["flops"] as? Double == flops)
        #expect(found["vranks"] as? Int == workers.map { 3 * $0 })
        #expect(try #require(found["gflops_per_second"] as? Double) > 0)
        #expect(try #require(found["predicted_seconds"] as? Double) > 0)
        let memory = try #require(found["memory"] as? [[String: Any]])
        let available = try #require(found["available_bytes"] as? Int)
        let needed: Int = memory.reduce(0) { total, entry in
          let (bytes, count) = (entry["bytes"] as? Int ?? 0, entry["count"] as? Int ?? 0)
          return total + bytes * count
        }
        #expect(needed > 0 && needed <= available)
        expectNothingDone(scratch)
      }
    }

    /// All of them at once, each as the run itself would say it.
    @Test func everyRefusal() throws {
      try withScratch { scratch in
        var tensors = try JobTensors.fixture(heads: 6, keyHeads: 3, tokens: 901)
        tensors.key.set(.nan, head: 1, token: 7, column: 3)
        let job =
          try ["attend", "--dry-run", "--output", "key.npy", "--reject-nonfinite"]
          + tensors.write(to: scratch)
        let run = try scratch.run(job, limits: "-d 30000")
        #expect(try run.wait() == .code(2))
        let lines = run.errorLines
        #expect(lines.count == 3, "\(lines)")
        for text in ["is the file of --key", "by ulimit -d", "head 1, token 7"] {
          #expect(lines.contains { $0.hasPrefix("attnmesh: ") && $0.contains(text) }, "\(lines)")
        }
        let found = try jsonObject(scratch.run(job + ["--json"], limits: "-d 30000").output)
        #expect((found["refusals"] as? [String])?.count == 3)
        expectNothingDone(scratch)
      }
    }

    /// One that can't be read hides nothing of what is wrong with the others.
    @Test func tensorsThatCannotBeRead() throws {
      try withScratch { scratch in
        let job = ["attend", "--dry-run"] + (try inputs(scratch))
        let packed = open(scratch.file("packed.npy"), O_WRONLY | O_CREAT, 0o600)
        try #require(write(packed, [0x1F, 0x8B, 8, 0] as [UInt8], 4) == 4)
        close(packed)
        NpyFile.write(scratch.file("other.npy"), shape: [3, 7, 64])
        func expect(_ flags: [String], _ reasons: String...) throws {
          let run = try scratch.run(job + flags)
          #expect(try run.wait() == .code(2))
          let lines = run.errorLines
          #expect(lines.count == reasons.count, "\(lines)")
          for reason in reasons {
            #expect(lines.contains { $0.contains(reason) }, "\(reason): \(lines)")
          }
        }
        try expect(
          [
            "--query", "packed.npy", "--key", "missing.npy", "--output", "none/o.npy", "--lse",
            "gone/l.npy", "--mask", "sideways",
          ],
          "packed.npy: is no .npy file but compressed with gzip", "missing.npy: cannot open",
          "directory 'none/'", "directory 'gone/'", "--mask sideways")
        try expect(
          ["--key", "other.npy", "--output", "none/o.npy"], "they must have one type",
          "shapes must be equal", "directory 'none/'")
        expectNothingDone(scratch)
      }
    }

    @Test("each thing that is wrong with a mask is told")
    func masks() throws {
      try withScratch { scratch in
        try Data1D.write([1, 2, 3], to: scratch.file("three.npy"))
        func expect(_ flags: [String], _ reasons: String...) throws {
          let run = try scratch.run(["attend", "--dry-run", "--output", "o.npy"] + flags)
          #expect(try run.wait() == .code(2))
          let lines = run.errorLines
          #expect(lines.count == reasons.count, "\(lines)")
          for reason in reasons {
            #expect(lines.contains { $0.contains(reason) }, "\(reason): \(lines)")
          }
        }
        try expect(
          inputs(scratch) + [
            "--window", "x", "--softcap", "0", "--alibi", "three.npy", "--sink-logits", "none.npy",
            "--documents", ",", "--key-documents", "3,x", "--sink-tokens", "-1",
          ],
          "--window x", "--softcap 0.0", "--alibi three.npy: shape [3]; it must be [6]",
          "none.npy: cannot open", "--documents ,", "--key-documents 3,x", "--sink-tokens -1")
        // What would follow from a flag that was refused is no reason of its own.
        try expect(inputs(scratch) + ["--window", "x", "--sink-tokens", "4"], "--window x")
        try expect(
          inputs(scratch) + ["--key", "none.npy", "--alibi", "three.npy"], "none.npy: cannot open",
          "shape [3]; it must be [6]")
        expectNothingDone(scratch)
      }
    }

    @Test("what is wrong on this machine is told, too, where no mesh can be asked")
    func nobodyToAsk() throws {
      try withScratch { scratch in
        let endpoint = try "tcp://127.0.0.1:\(TCPProxy.freePort())"
        let run = try scratch.run(
          ["attend", "--dry-run", "--output", "none/o.npy", "--coordinator", endpoint]
            + inputs(scratch))
        #expect(try run.wait() == .code(3))
        let lines = run.errorLines
        #expect(
          lines.count == 2 && lines.last?.contains("nothing listens there") == true, "\(lines)")
        #expect(lines.first?.contains("create the directory first") == true, "\(lines)")
      }
    }

    @Test("a mesh's workers are counted as admission does: who is too small takes no part")
    func workersThatTakePart() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        try mesh.startWorker("small", ["--memory", "128M"])
        try mesh.startWorker("w1", ["--memory", "4G"])
        try mesh.startWorker("w2", ["--memory", "4G"])
        try mesh.output(["cordon", "w2"])
        let flags = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 60_000).write(to: scratch)
        for command in [["attend", "--output", "o.npy"], ["submit"]] {
          let text = try mesh.output(command + ["--dry-run"] + flags)
          #expect(
            text.contains("1 of 3 workers, 1 thread; small has 128 MiB, w2 is cordoned"), "\(text)")
          let found = try jsonObject(mesh.output(command + ["--dry-run", "--json"] + flags))
          #expect(found["workers"] as? Int == 1)
          #expect(found["workers_here"] as? Int == 3)
          #expect(found["threads"] as? Int == 1)
          #expect(found["vranks"] as? Int == 3)
        }
        expectNothingDone(scratch)
      }
    }

    /// The coordinator itself decides, and has no job of it.
    @Test func onAMesh() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2, coordinatorFlags: ["--quota", "3M"])
        let flags = try inputs(scratch)
        for command in [["attend", "--output", "o.npy"], ["submit"]] {
          let run = try mesh.run(command + ["--dry-run", "--json"] + flags)
          #expect(try run.wait() == .code(0), "\(run.errors)")
          let found = try jsonObject(run.output)
          #expect(found["workers"] as? Int == 2)
          #expect(found["vranks"] as? Int == 6)
          #expect(try #require(found["store_bytes"] as? Int) > 2 << 20)
        }
        #expect(try mesh.output(["jobs", "--json"]).contains("job\"") == false)
        #expect(mesh.observed("job-submitted").isEmpty)
        _ = try mesh.result(mesh.submit(flags))
        let refused = try mesh.run(["submit", "--dry-run"] + flags)
        #expect(try refused.wait() == .code(2))
        #expect(refused.errors.contains("of a quota of 3.00 MiB"), "\(refused.errors)")
        expectNothingDone(scratch)
      }
    }
  }
}
