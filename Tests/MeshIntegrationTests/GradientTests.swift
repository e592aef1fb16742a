import ElementTypes
import MeshCore
import Testing

extension Integration {
  /// `grad` in one process: what users of other programs ran into, and masks of any kind.
  @Suite struct Gradients {
    /// Runs `grad` in several ways, whose bytes have to be equal: on other numbers of threads, and from
    /// the O and LSE that `attend` writes.
    private func grad(
      _ scratch: Scratch, _ flags: [String], _ outputGradient: TensorData
    ) throws -> Differentiated {
      try outputGradient.write(to: scratch.file("g.safetensors"))
      let flags = flags + ["--output-gradient", scratch.file("g.safetensors")]
      let found = try scratch.grad(flags + ["--threads", "1"])
      #expect(try scratch.grad(flags + ["--threads", "3"]) == found)
      let plain = flags.filter { !$0.hasSuffix("g.safetensors") && $0 != "--output-gradient" }
      _ = try scratch.attend(plain)
      let forward = ["--output", scratch.file("o.npy"), "--lse", scratch.file("o-lse.npy")]
      #expect(try scratch.grad(flags + forward) == found)
      return found
    }

    private func check(
      _ job: RandomJob, _ rule: MaskRule, _ logits: LogitRule = .plain, flags: [String] = [],
      seed: UInt64
    ) throws -> Differentiated {
      try withScratch { scratch in
        let tensors = job.tensors(seed: seed)
        let gradient = tensors.outputGradient(seed: seed)
        let found = try grad(
          scratch, try tensors.write(to: scratch, format: "safetensors") + flags, gradient)
        let violation = ReferenceCheck(tensors, rule, logits)
          .violation(found, outputGradient: gradient)
        #expect(violation == nil, "\(job)")
        return found
      }
    }

    @Test(arguments: 0..<24)
    func agreeWithTheReference(seed: UInt64) throws {
      try withScratch { scratch in
        let job = try MaskedJob(scratch, workers: 1, seed: seed)
        let gradient = job.check.tensors.outputGradient(seed: seed)
        let found = try grad(scratch, job.rowFlags, gradient)
        let violation = job.check.violation(found, outputGradient: gradient)
        #expect(violation == nil, "\(job)")
      }
    }

    /// Queries of a document that sees no key, or some of them: dQ is 0, not NaN.
    @Test func rowsWithoutKeysAreZero() throws {
      var job = RandomJob(
        workers: 1, heads: 1, keyHeads: 1, tokens: 256, headDimension: 32, mask: "causal")
      job.keyTokens = 3
      let rule = MaskRule(
        isCausal: true,
        documents: MaskRule.Documents(queries: [76, 34, 146], keys: [1, 1, 1]))
      let found = try check(
        job, rule,
        flags: ["--mask", "causal", "--documents", "76,34,146", "--key-documents", "1,1,1"], seed: 1
      )
      // Only the last query of a document stands at its key.
      for row in 0..<256 where ![75, 109, 255].contains(row) {
        #expect(found.query.floats[row * 32..<(row + 1) * 32].allSatisfy { $0 == 0 }, "\(row)")
      }
      #expect(found.key.floats.allSatisfy { $0.isFinite })
    }

    /// Padding behind the documents: nothing comes of it, not even of NaN in it.
    @Test func paddingHasNoGradient() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 946, headDimension: 16, mask: "causal")
        var tensors = job.tensors(seed: 2)
        var gradient = tensors.outputGradient(seed: 2)
        let flags = [
          "--mask", "causal", "--documents", "144,288,512,2,0", "--key-documents",
          "144,288,512,0,2",
        ]
        let clean = try grad(scratch, try tensors.write(to: scratch) + flags, gradient)
        for token in 944..<946 {
          tensors.query.set(.nan, head: 1, token: token, column: 3)
          tensors.key.set(.nan, head: 0, token: token, column: 0)
          tensors.value.set(.nan, head: 0, token: token, column: 1)
          gradient.set(.nan, head: 0, token: token, column: 2)
        }
        let found = try grad(scratch, try tensors.write(to: scratch) + flags, gradient)
        #expect(found == clean)
        for (tensor, heads) in [(found.query, 2), (found.key, 1), (found.value, 1)] {
          for head in 0..<heads {
            let padding = (head * 946 + 944) * 16..<(head + 1) * 946 * 16
            #expect(tensor.floats[padding].allSatisfy { $0 == 0 })
          }
        }
      }
    }

    /// Keys that no query sees, of a document without queries.
    @Test func keysOfADocumentWithoutQueriesHaveNoGradient() throws {
      let job = RandomJob(
        workers: 1, heads: 2, keyHeads: 2, tokens: 300, headDimension: 24, mask: "full")
      let rule = MaskRule(
        isCausal: false,
        documents: MaskRule.Documents(queries: [150, 0, 150], keys: [100, 100, 100]))
      let found = try check(
        job, rule, flags: ["--documents", "150,0,150", "--key-documents", "100,100,100"], seed: 3)
      for tensor in [found.key, found.value] {
        for head in 0..<2 {
          let unseen = (head * 300 + 100) * 24..<(head * 300 + 200) * 24
          #expect(tensor.floats[unseen].allSatisfy { $0 == 0 })
        }
      }
    }

    @Test(arguments: [(6, 2), (12, 3), (9, 3), (8, 8), (7, 1)])
    func groupsOfHeadsAddUp(heads: Int, keyHeads: Int) throws {
      _ = try check(
        RandomJob(
          workers: 1, heads: heads, keyHeads: keyHeads, tokens: 200, headDimension: 16,
          mask: "causal"), .causal, flags: ["--mask", "causal"], seed: UInt64(heads))
    }

    @Test(arguments: [ElementType.float32, .bfloat16])
    func slopesBeyondATile(element: ElementType) throws {
      var job = RandomJob(
        workers: 1, heads: 1, keyHeads: 1, tokens: 1_025, headDimension: 16, mask: "causal")
      job.element = element
      try withScratch { scratch in
        try Data1D.write([0.25], to: scratch.file("slopes.npy"))
        let found = try check(
          job, .causal, LogitRule(alibiSlopes: [0.25]),
          flags: ["--mask", "causal", "--alibi", scratch.file("slopes.npy")], seed: 7)
        #expect(
          [found.query, found.key, found.value].allSatisfy { $0.floats.allSatisfy { $0.isFinite } })
      }
    }

    /// All that a row gives goes to its learnt logit where it sees no key: O is 0, and LSE the logit.
    @Test func aLearntLogitTakesTheGradientOfTheLogSumExp() throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 10, headDimension: 8, mask: "full")
        let tensors = job.tensors(seed: 4)
        try tensors.outputGradient(seed: 4).write(to: scratch.file("g.npy"))
        try Data1D.write([0.5, -2], to: scratch.file("sinks.npy"))
        let sums = (0..<20).map { Float($0) }
        try TensorData(sums, element: .float32, shape: [2, 10]).write(to: scratch.file("l.npy"))
        let found = try scratch.grad(
          try tensors.write(to: scratch) + [
            "--output-gradient", scratch.file("g.npy"), "--lse-gradient", scratch.file("l.npy"),
            "--sink-logits", scratch.file("sinks.npy"),
            "--sink-gradient", scratch.file("sink.npy"),
            "--documents", "10,0", "--key-documents", "0,10",
          ])
        #expect(found.query.floats.allSatisfy { $0 == 0 })
        #expect(found.key.floats.allSatisfy { $0 == 0 })
        let sinks = try TensorData(reading: scratch.file("sink.npy")).floats
        for (got, wanted) in zip(sinks, [45, 145] as [Float]) {
          #expect(abs(got - wanted) < 1e-4 * wanted, "\(got)")
        }
      }
    }

    /// dO beside tensors that are bfloat16 by themselves keeps its precision, unless rounding is asked for.
    @Test(arguments: [false, true])
    func outputGradientsAreRoundedWhereItIsAskedFor(isAskedFor: Bool) throws {
      try withScratch { scratch in
        var job = RandomJob(
          workers: 1, heads: 2, keyHeads: 1, tokens: 300, headDimension: 16, mask: "causal")
        job.element = .bfloat16
        var tensors = job.tensors(seed: 6)
        var gradient = tensors.outputGradient(seed: 6)
        gradient = TensorData(
          gradient.floats.map { $0 * (1 + 0x1p-10) }, element: .float32, shape: gradient.shape)
        let rounded = TensorData(gradient.floats, element: .bfloat16, shape: gradient.shape)
        var flags = ["--mask", "causal"]
        if isAskedFor {
          func wide(_ tensor: TensorData) -> TensorData {
            TensorData(tensor.floats, element: .float32, shape: tensor.shape)
          }
          (tensors.query, tensors.key) = (wide(tensors.query), wide(tensors.key))
          tensors.value = wide(tensors.value)
          flags += ["--precision", "bfloat16"]
        }
        flags += try tensors.write(to: scratch, format: "safetensors")
        let found = try grad(scratch, flags, gradient)
        #expect(try (grad(scratch, flags, rounded) == found) == isAskedFor)
        let violation = ReferenceCheck(tensors, .causal)
          .violation(found, outputGradient: isAskedFor ? rounded : gradient)
        #expect(violation == nil)
      }
    }
  }
}
