import Foundation
import Testing

extension Integration {
  /// Masks that can't be: exit code 2 with both numbers, before anything is sent.
  @Suite struct MaskFlags {
    /// For 5 heads, 100 queries and 100 keys.
    static let flags: [([String], String)] = [
      (["--window", ""], "--window : it is LEFT or LEFT,RIGHT"),
      (["--window", "-1"], "--window -1: it is LEFT"),
      (["--window", "1,2,3"], "--window 1,2,3: it is LEFT"),
      (["--window", "4k"], "--window 4k: it is LEFT"),
      (["--mask", "causal", "--window", "4,5"], "5 keys behind a query and a causal mask"),
      (["--sink-tokens", "4"], "4 sink tokens without a window"),
      (["--sink-tokens", "-1", "--window", "3"], "--sink-tokens -1: it must be 0 or more"),
      (["--documents", "50,49"], "add up to 99 queries, and the tensor has 100"),
      (["--documents", "50,51"], "add up to 101 queries, and the tensor has 100"),
      (["--documents", "50,50", "--key-documents", "99"], "2 documents of queries and 1 of keys"),
      (["--documents", "50,50", "--key-documents", "9,90"], "add up to 99 keys"),
      (["--documents", "50,-50,100"], "--documents 50,-50,100: neither lengths"),
      (["--documents", "missing.txt"], "--documents missing.txt: neither lengths"),
      (["--documents", "words.txt"], "'ten' is no length"),
      (["--documents", ","], "--documents ,: a length is missing beside a comma"),
      (["--documents", "60,,40"], "--documents 60,,40: a length is missing beside a comma"),
      (["--documents", "60,40,"], "a length is missing beside a comma"),
      (["--documents", "100", "--key-documents", ",100"], "--key-documents ,100: a length"),
      (["--documents", ""], "there are no lengths in it"),
      (["--documents", "-"], "--documents -: there are no lengths in it"),
      (["--documents", "."], "--documents .: it is a directory; give lengths"),
      (["--documents", "pipe"], "--documents pipe: it is no regular file; give lengths"),
      (["--documents", "-", "--key-documents", "-"], "--documents and --key-documents come from"),
      (["--query", "-", "--documents", "-"], "--query and --documents come from the same pipe"),
      (["--query", "-", "--alibi", "-"], "--query and --alibi come from the same pipe"),
      (["--alibi", "-", "--sink-logits", "-"], "--alibi and --sink-logits come from the same"),
      (["--alibi", "pipe", "--sink-logits", "./pipe"], "--alibi and --sink-logits come from"),
      (["--key-documents", "100"], "--key-documents without --documents"),
      (["--softcap", "0"], "--softcap 0.0: it must be a number above 0"),
      (["--softcap", "-3"], "--softcap -3.0: it must be a number above 0"),
      (["--softcap", "nan"], "--softcap nan: it must be a number above 0"),
      (["--softcap", "inf"], "--softcap inf: it must be a number above 0"),
      (["--alibi", "four.npy"], "--alibi four.npy: shape [4]; it must be [5]"),
      (["--alibi", "missing.npy"], "missing.npy"),
      (["--sink-logits", "four.npy"], "--sink-logits four.npy: shape [4]; it must be [5]"),
      (["--sink-logits", "nan.npy"], "a sink logit is nan"),
      (["--alibi", "nan.npy"], "an ALiBi slope is nan"),
    ]

    @Test(arguments: flags, [nil, 2])
    func areRefused(flags: (flags: [String], says: String), workers: Int?) throws {
      try withScratch { scratch in
        let job = RandomJob(
          workers: 1, heads: 5, keyHeads: 1, tokens: 100, headDimension: 4, mask: "full")
        let files = try job.tensors(seed: 1).write(to: scratch)
        try Data1D.write([1, 2, 3, 4], to: scratch.file("four.npy"))
        try Data1D.write([1, 2, .nan, 4, 5], to: scratch.file("nan.npy"))
        try #require(mkfifo(scratch.file("pipe"), 0o600) == 0)
        try "ten twenty".write(
          toFile: scratch.file("words.txt"), atomically: true, encoding: .utf8)
        let mesh = workers.map { ["--workers", "\($0)"] } ?? []
        let run = try scratch.run(
          ["attend", "--output", scratch.file("o.npy")] + files + flags.flags + mesh)
        expectRefusal(run, code: 2, flags.says)
      }
    }

    @Test func aWindowNeedsALength() throws {
      try withScratch { scratch in
        let run = try scratch.run(["attend", "--window"])
        #expect(try run.wait() == .code(2) && run.errors.contains("--window"), "\(run.errors)")
      }
    }
  }
}
