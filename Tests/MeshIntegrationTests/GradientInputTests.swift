import ElementTypes
import MeshCore
import Testing

extension Integration {
  /// What `grad` takes, and what it refuses before anything is written.
  @Suite struct GradientInputs {
    @Test func peaksBelowItsBound() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 4, keyHeads: 2, tokens: 6_000, headDimension: 64, mask: "causal")
        let tensors = job.tensors(seed: 8)
        try tensors.outputGradient(seed: 8).write(to: scratch.file("g.npy"))
        let flags =
          try tensors.write(to: scratch) + [
            "--mask", "causal", "--output-gradient", scratch.file("g.npy"), "--threads", "1",
          ]
        let free = try scratch.grad(flags + ["--report", scratch.file("free.json")])
        // One head at a time.
        let limited = try scratch.grad(
          flags + ["--report", scratch.file("limited.json")], limits: "-d 115000")
        #expect(limited == free)
        for (name, most) in [("free", Int.max), ("limited", 115_000 << 10)] {
          let report = try jsonObject(text(of: scratch.file("\(name).json")))
          let bound = try #require(report["bytes_bound"] as? Int)
          #expect(try #require(report["resident_bytes"] as? Int) <= bound)
          #expect(bound <= most)
        }
      }
    }

    /// Named by tensor, head and token; anything but the flag lets it pass.
    @Test(arguments: [
      ("g", Float.infinity, "output gradient holds a NaN or an infinity at"),
      ("o", .nan, "output holds a NaN or an infinity at"),
      ("l", .nan, "log-sum-exp holds a NaN or +infinity at"),
      ("l", .infinity, "log-sum-exp holds a NaN or +infinity at"),
      ("dl", -.infinity, "log-sum-exp gradient holds a NaN or an infinity at"),
    ])
    func nonfiniteIsRefusedWhereItIsAskedFor(
      tensor: String, value: Float, reason: String
    ) throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 10, headDimension: 8, mask: "full")
        let tensors = job.tensors(seed: 9)
        // The last five queries see no key.
        let inputs =
          try tensors.write(to: scratch) + ["--documents", "5,5", "--key-documents", "10,0"]
        let forward = try scratch.attend(inputs)
        let differences = TensorData(
          (0..<20).map { Float($0) }, element: .float32, shape: forward.logSumExp.shape)
        var flags = inputs
        for (name, flag, data) in [
          ("g", "--output-gradient", tensors.outputGradient(seed: 9)),
          ("o", "--output", forward.output), ("l", "--lse", forward.logSumExp),
          ("dl", "--lse-gradient", differences),
        ] {
          flags += [flag, scratch.file("\(name).npy")]
          try data.write(to: scratch.file("\(name).npy"))
        }
        _ = try scratch.grad(flags + ["--reject-nonfinite"])
        let file = scratch.file("\(tensor).npy")
        var bad = try TensorData(reading: file)
        let isOfRows = bad.shape.count == 3
        bad.set(value, head: 1, token: 3, column: isOfRows ? 5 : 0)
        try bad.write(to: file)
        _ = try scratch.grad(flags)
        let run = try scratch.runGrad(flags + ["--reject-nonfinite"], name: "bad")
        expectRefusal(
          run, code: 2, file, "\(reason) head 1, token 3\(isOfRows ? ", element 5" : "")\n")
        #expect(!scratch.exists("bad-query.npy"))
      }
    }

    /// A log-sum-exp over the keys alone would give wrong gradients, and NaN where there is no key.
    @Test(arguments: [-Float.infinity, 0.4])
    func aLogSumExpHasToCountTheSinkLogit(sum: Float) throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 100, headDimension: 8, mask: "full")
        let tensors = job.tensors(seed: 10)
        try tensors.outputGradient(seed: 10).write(to: scratch.file("g.npy"))
        try Data1D.write([-2, 0.5], to: scratch.file("sinks.npy"))
        let flags =
          try tensors.write(to: scratch) + [
            "--sink-logits", scratch.file("sinks.npy"), "--documents", "50,50", "--key-documents",
            "100,0",
          ]
        let forward = try scratch.attend(flags)
        var sums = forward.logSumExp
        func run(_ sum: Float) throws -> Program {
          sums.set(sum, head: 1, token: 77)
          try sums.write(to: scratch.file("l.npy"))
          return try scratch.runGrad(
            flags + ["--output-gradient", scratch.file("g.npy"), "--lse", scratch.file("l.npy")]
              + ["--output", scratch.file("o.npy"), "--sink-gradient", scratch.file("s.npy")])
        }
        #expect(sums.floats[177] == 0.5)
        // As some rounding leaves it.
        #expect(try run(0.4995).wait() == .code(0))
        #expect(try TensorData(reading: scratch.file("s.npy")).floats.allSatisfy { $0.isFinite })
        expectRefusal(
          try run(sum), code: 2, scratch.file("l.npy"), "is \(sum) at head 1, token 77", "0.5")
      }
    }

    /// In base 2, of the first half of the keys, and of another scale.
    @Test func aLogSumExpOfOtherLogitsIsRefused() throws {
      try withScratch { scratch in
        var job = RandomJob(
          workers: 1, heads: 4, keyHeads: 2, tokens: 200, headDimension: 24, mask: "causal")
        job.keyTokens = 700
        job.batch = 2
        let tensors = job.tensors(seed: 11)
        let inputs = try tensors.write(to: scratch)
        try tensors.outputGradient(seed: 11).write(to: scratch.file("g.npy"))
        let slopes = ["--mask", "causal", "--alibi", "--softcap", "5"]
        let right = try scratch.attend(inputs + slopes).logSumExp
        let wide = try scratch.attend(inputs + slopes + ["--window", "349"])
        let cold = try scratch.attend(inputs + slopes + ["--scale", "0.1"])
        let binary = TensorData(
          right.floats.map { $0 * 1.442695 }, element: .float32, shape: right.shape)
        for wrong in [binary, cold.logSumExp, wide.logSumExp, right] {
          try wrong.write(to: scratch.file("l.npy"))
          let run = try scratch.runGrad(
            inputs + slopes + [
              "--output-gradient", scratch.file("g.npy"), "--output", scratch.file("o.npy"),
              "--lse", scratch.file("l.npy"),
            ])
          if wrong == right {
            #expect(try run.wait() == .code(0), "\(run.errors)")
          } else {
            expectRefusal(
              run, code: 2, "l.npy: the log-sum-exp is ", " at batch ", "it has to be natural")
          }
        }
      }
    }

    @Test(arguments: [
      (["--output", "q.npy"], "--output without --lse"),
      (["--lse", "q.npy"], "--lse without --output"),
      (["--output", "q.npy", "--lse", "q.npy"], "shape [2, 10, 8]; it must be [2, 10]"),
      (["--lse-gradient", "k.npy"], "shape [1, 10, 8]; it must be [2, 10]"),
      (["--sink-gradient", "s.npy"], "--sink-gradient without --sink-logits"),
      (["--threads", "0"], "--threads 0"),
      (["--layout", "zigzag"], "--layout zigzag: that says how a mesh shares a job out"),
      (["--strategy", "usp", "--grid", "2,2"], "--strategy usp, --grid 2,2: that says"),
      (["--vranks", "4"], "--vranks 4: that says"),
      (["--output-dtype", "bfloat16"], ".npy has no bfloat16"),
    ])
    func areRefused(flags: [String], reason: String) throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 10, headDimension: 8, mask: "full")
        let tensors = job.tensors(seed: 5)
        let inputs = try tensors.write(to: scratch)
        try tensors.query.write(to: scratch.file("q.npy"))
        try tensors.key.write(to: scratch.file("k.npy"))
        let run = try scratch.runGrad(
          inputs + ["--output-gradient", scratch.file("q.npy")]
            + flags.map { $0.hasSuffix(".npy") ? scratch.file($0) : $0 })
        expectRefusal(run, code: 2, reason)
        #expect(!scratch.exists("grad-query.npy"))
      }
    }
  }
}
