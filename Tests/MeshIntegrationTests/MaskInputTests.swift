import ElementTypes
import Foundation
import Testing

extension Integration {
  /// Where lengths, slopes and sink logits may come from.
  @Suite struct MaskInputs {
    private func job(_ scratch: Scratch) throws -> [String] {
      let job = RandomJob(
        workers: 1, heads: 5, keyHeads: 1, tokens: 100, headDimension: 4, mask: "full")
      return try job.tensors(seed: 1).write(to: scratch)
    }

    private func write(_ text: String, to path: String) throws {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    @Test("lengths come from a file, one called like a number too, and from standard input")
    func lengths() throws {
      try withScratch { scratch in
        let flags = try job(scratch)
        let plain = try scratch.attend(flags + ["--documents", "60,40"])
        // Commas and line ends together, as tables are written.
        try write("60,\r\n40,\n", to: scratch.file("50"))
        #expect(try scratch.attend(flags + ["--documents", "./50"], name: "file") == plain)
        let run = try scratch.run(
          ["attend", "--output", "o.npy", "--documents", "-"] + flags, input: "50")
        #expect(try run.wait() == .code(0), "\(run.errors)")
        #expect(try TensorData(reading: scratch.file("o.npy")) == plain.output)
      }
    }

    @Test("slopes and sink logits are converted where that is asked for, and are no output")
    func converted() throws {
      try withScratch { scratch in
        let flags = try job(scratch)
        let values: [Double] = [0.5, 0.25, 1, 2, 0.125]
        try Data1D.write(values.map(Float.init), to: scratch.file("plain.npy"))
        let header = "{'descr': '>f8', 'fortran_order': False, 'shape': (5,), }"
        NpyFile.write(scratch.file("wide.npy"), header: header, dataBytes: 0)
        let numbers = values.flatMap { value in
          withUnsafeBytes(of: value.bitPattern.bigEndian) { Array($0) }
        }
        NpyFile.write(
          scratch.file("wide.npy"), contents(of: scratch.file("wide.npy")) + numbers)
        let plain = try scratch.attend(
          flags + ["--alibi", "plain.npy", "--sink-logits", "plain.npy"])
        let wide = ["--alibi", "wide.npy", "--sink-logits", "wide.npy"]
        #expect(try scratch.attend(flags + wide + ["--convert"], name: "found") == plain)
        for command in [["attend"], ["attend", "--workers", "1"]] {
          expectRefusal(
            try scratch.run(command + ["--output", "o.npy"] + flags + wide), code: 2,
            "add --convert")
          expectRefusal(
            try scratch.run(command + ["--output", "plain.npy", "--alibi", "plain.npy"] + flags),
            code: 2, "--output plain.npy is the file of --alibi")
        }
      }
    }

    @Test("whoever waits for slopes says so")
    func waiting() throws {
      try withScratch { scratch in
        let flags = try job(scratch)
        try Data1D.write([1, 2, 3, 4, 5], to: scratch.file("slopes.npy"))
        let plain = try scratch.attend(flags + ["--alibi", "slopes.npy"])
        let pipe = scratch.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let run = try scratch.start(["attend", "--output", "o.npy", "--alibi", pipe] + flags)
        try eventually("the complaint") { run.errors.contains("waiting for a tensor from \(pipe)") }
        NpyFile.write(pipe, contents(of: scratch.file("slopes.npy")))
        #expect(try run.wait() == .code(0), "\(run.errors)")
        #expect(try TensorData(reading: scratch.file("o.npy")) == plain.output)
      }
    }

    @Test("jobs are told with the whole of their masks")
    func told() throws {
      try withScratch { scratch in
        try Data1D.write([1, 2, 3, 4, 5], to: scratch.file("slopes.npy"))
        let mesh = try Mesh(scratch, workers: 1)
        let job = try mesh.submit(
          try job(scratch) + [
            "--documents", "60,40", "--window", "3", "--softcap", "20", "--alibi",
            scratch.file("slopes.npy"), "--sink-logits", scratch.file("slopes.npy"),
          ])
        let mask = "float32, full, window 3 before, 2 documents, softcap 20.0, ALiBi, sink logits"
        for text in [try mesh.output(["jobs"]), try mesh.output(["job", job])] {
          #expect(text.contains(mask), "\(text)")
        }
      }
    }
  }
}
