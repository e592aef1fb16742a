import Glibc
import Testing

extension Integration {
  /// Real processes under limits of the system: they compute within them, or refuse with the numbers.
  @Suite struct MemoryLimits {
    /// A tensor of zeros that takes no space on disk.
    private func hollow(_ path: String, shape: [Int]) {
      let dimensions = shape.map { "\($0), " }.joined()
      NpyFile.write(
        path, header: "{'descr': '<f4', 'fortran_order': False, 'shape': (\(dimensions)), }",
        dataBytes: 0)
      truncate(path, off_t(contents(of: path).count + shape.reduce(4, *)))
    }

    private func flags(_ scratch: Scratch, _ shape: [Int]) -> [String] {
      hollow(scratch.file("x.npy"), shape: shape)
      return ["query", "key", "value"].flatMap { ["--\($0)", scratch.file("x.npy")] }
    }

    @Test(arguments: [nil, 2], ["-v 200000", "-d 30000"])
    func refusedBeforeItBegins(workers: Int?, limit: String) throws {
      try withScratch { scratch in
        let shape = workers == nil ? [32, 1_000_000, 128] : [4, 2_000, 64]
        let job = ["attend", "--output", scratch.file("o.npy")] + flags(scratch, shape)
        let run = try scratch.run(
          job + (workers.map { ["--workers", "\($0)"] } ?? []), limits: limit)
        expectRefusal(run, code: 2, "the job needs", "of memory in", "by ulimit \(limit.prefix(2))")
        #expect(!scratch.exists("o.npy"))
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }

    /// All its rows at once would take more.
    @Test func oneProcessKeepsWithinItsLimit() throws {
      try withScratch { scratch in
        var tensors = try JobTensors.fixture(tokens: 30_000)
        let keys = try JobTensors.fixture(tokens: 300)
        (tensors.key, tensors.value) = (keys.key, keys.value)
        let job = try ["attend", "--quiet", "--threads", "1"] + tensors.write(to: scratch)
        for (name, limit) in [("free", nil), ("limited", "-d 120000")] {
          let run = try scratch.run(
            job + ["--output", "\(name).npy", "--report", "\(name).json"], limits: limit)
          #expect(try run.wait() == .code(0), "\(run.errors)")
        }
        #expect(contents(of: scratch.file("free.npy")) == contents(of: scratch.file("limited.npy")))
        for (name, most) in [("free", Int.max), ("limited", 120_000 << 10)] {
          let report = try jsonObject(text(of: scratch.file("\(name).json")))
          let bound = try #require(report["worker_bytes_bound"] as? Int)
          let peak = try #require((report["resident_bytes"] as? [Int])?.first)
          #expect(peak <= bound)
          #expect(bound <= most)
        }
      }
    }

    /// What rows see takes as much as their logits, and that of all of them at once would be too much.
    @Test func checkKeepsWithinItsLimit() throws {
      try withScratch { scratch in
        hollow(scratch.file("few.npy"), shape: [1, 256, 1])
        hollow(scratch.file("many.npy"), shape: [1, 60_000, 1])
        let run = try scratch.run(
          ["check", "--query", "few.npy", "--key", "many.npy", "--value", "many.npy"]
            + ["--output", "few.npy", "--rows", "256"], limits: "-d 90000")
        #expect(try run.wait() == .code(0), "\(run.errors)")
        #expect(run.output.hasPrefix("equal to the reference: 256 rows"), "\(run.output)")
      }
    }

    @Test func checkRefusesHeadsThatAreTooLong() throws {
      try withScratch { scratch in
        let run = try scratch.run(
          ["check", "--output", scratch.file("x.npy")] + flags(scratch, [1, 1_000_000, 64]),
          limits: "-d 400000")
        expectRefusal(run, code: 2, "1000000 keys needs 1.5", "by ulimit -d")
      }
    }
  }
}
