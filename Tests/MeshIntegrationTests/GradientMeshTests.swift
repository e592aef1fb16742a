import ElementTypes
import Foundation
import MeshCore
import Testing

extension Integration {
  /// `grad` over worker processes: the bits are those of one process, whatever the strategy and whoever dies.
  @Suite struct MeshGradients {
    private func grad(
      _ scratch: Scratch, _ flags: [String], _ outputGradient: TensorData
    ) throws -> [String] {
      try outputGradient.write(to: scratch.file("g.safetensors"))
      return flags + ["--output-gradient", scratch.file("g.safetensors")]
    }

    @Test(arguments: 100..<106)
    func bitsAreThoseOfOneProcess(seed: UInt64) throws {
      try withScratch { scratch in
        let job = try MaskedJob(scratch, workers: 3, seed: seed)
        let flags = try grad(scratch, job.rowFlags, job.check.tensors.outputGradient(seed: seed))
        let alone = try scratch.grad(flags)
        for strategy in ["auto", "ring", "ulysses", "usp"] {
          let mesh = ["--workers", "\(1 + seed % 3)", "--threads", "1", "--strategy", strategy]
          #expect(try scratch.grad(flags + mesh) == alone, "\(strategy): \(job)")
        }
        // From O and LSE that are given.
        let plain = flags.filter { !$0.hasSuffix("g.safetensors") && $0 != "--output-gradient" }
        _ = try scratch.attend(plain)
        let forward = ["--output", scratch.file("o.npy"), "--lse", scratch.file("o-lse.npy")]
        #expect(try scratch.grad(flags + forward + ["--workers", "2"]) == alone)
      }
    }

    /// A worker dies in the middle of a step of the backward pass, and its ranks go on from copies.
    @Test(arguments: ["compute:kill:3", "send-result:kill:1", "snapshot:kill:3"])
    func aWorkerDies(point: String) throws {
      try withScratch { scratch in
        let tensors = try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 2_001)
        let flags = try grad(
          scratch, try tensors.write(to: scratch) + ["--mask", "causal"],
          tensors.outputGradient(seed: 5))
        let alone = try scratch.grad(flags)
        // O and LSE are given: only gradients are on the mesh.
        _ = try scratch.attend(try tensors.write(to: scratch) + ["--mask", "causal"])
        let forward = ["--output", scratch.file("o.npy"), "--lse", scratch.file("o-lse.npy")]
        let mesh = try Mesh(scratch, workers: 0)
        try mesh.startWorker("w1", ["--threads", "1"], SlowJob.slowness(10, point))
        for name in ["w2", "w3"] {
          try mesh.startWorker(name, ["--threads", "1"], SlowJob.environment)
        }
        let report = scratch.file("report.json")
        let found = try scratch.grad(
          flags + forward + ["--coordinator", mesh.endpoint, "--report", report])
        #expect(found == alone)
        #expect(try mesh.workers["w1"]?.wait() == .signal(9))
        let told = try jsonObject(text(of: report))["mesh"] as? [String: Any]
        #expect((told?["failures"] as? [String])?.count == 1, "\(told ?? [:])")
      }
    }

    @Test func wrongFlags() throws {
      try withScratch { scratch in
        let tensors = try JobTensors.fixture(heads: 2, keyHeads: 1, tokens: 100)
        let flags = try grad(
          scratch, try tensors.write(to: scratch), tensors.outputGradient(seed: 1))
        let outputs = ["query", "key", "value"].flatMap {
          ["--\($0)-gradient", scratch.file("d-\($0).npy")]
        }
        func refusal(_ more: [String]) throws -> String {
          let program = try scratch.run(["grad"] + flags + outputs + more)
          #expect(try program.wait() == .code(2))
          return program.errors
        }
        #expect(
          try refusal(["--workers", "2", "--layout", "zigzag"]).contains(
            "--layout zigzag: gradients have the layout contiguous"))
        #expect(try refusal(["--workers", "0"]).contains("--workers 0: it must be 1 to"))
        #expect(try refusal(["--strategy", "ring"]).contains("leave it out"))
        #expect(!scratch.exists("d-query.npy"))
      }
    }

    /// A job of gradients has no output, and one of attention no gradients.
    @Test func resultOfTheOtherKind() throws {
      try withScratch { scratch in
        let tensors = try JobTensors.fixture(heads: 1, keyHeads: 1, tokens: 900)
        let flags = try grad(
          scratch, try tensors.write(to: scratch), tensors.outputGradient(seed: 1))
        _ = try scratch.attend(try tensors.write(to: scratch))
        let forward = ["--output", scratch.file("o.npy"), "--lse", scratch.file("o-lse.npy")]
        let outputs = ["query", "key", "value"].flatMap {
          ["--\($0)-gradient", scratch.file("d-\($0).npy")]
        }
        let mesh = try Mesh(scratch, workers: 0)
        let running = try scratch.start(
          ["grad", "--name", "back", "--coordinator", mesh.endpoint] + flags + forward + outputs)
        try eventually("the job") { try mesh.output(["jobs"]).contains("back") }
        let jobs = try json(mesh.output(["jobs", "--json"])) as? [[String: Any]] ?? []
        let job = try #require(jobs.first?["job"] as? String)
        running.signal(SIGKILL)
        try mesh.startWorker("w1")
        try mesh.output(["wait", job])
        let result = try scratch.run(
          ["result", job, "--output", scratch.file("r.npy"), "--coordinator", mesh.endpoint])
        #expect(result.errors.contains("computes gradients"))
        #expect(!scratch.exists("r.npy"))
      }
    }
  }
}
