import Glibc
import Testing

extension Integration {
  /// Flags that are wrong: exit code 2, one line, and nothing computed.
  @Suite struct BadFlags {
    /// Flags after those of a job that is fine, and what the error says.
    static let attendFlags: [([String], String)] = [
      (["--workers", "0"], "--workers 0: it must be 1 to 256"),
      (["--workers", "-1"], "--workers -1: it must be 1 to 256"),
      (["--workers", "2", "--spares", "-1"], "--spares -1"),
      (["--deadline", "-2"], "--deadline -2"),
      (["--workers", "100000"], "--workers 100000: it must be 1 to 256"),
      (["--workers", "2", "--coordinator", "tcp://127.0.0.1:1"], "--coordinator"),
      (["--threads", "0"], "--threads 0: it must be 1 to 1024"),
      (["--threads", "1025"], "--threads 1025"),
      (["--threads", "0", "--dry-run"], "--threads 0: it must be 1 to 1024"),
      (["--threads", "-1", "--workers", "2", "--dry-run"], "--threads -1: it must be 1 to 1024"),
      (["--vranks", "0"], "--vranks 0: it must be 1 to 256"),
      (["--vranks", "257"], "--vranks 257: it must be 1 to 256"),
      (["--scale", "nan"], "scale"), (["--scale", "inf"], "scale"), (["--scale", "1e39"], "scale"),
      (["--deadline", "0"], "--deadline"), (["--deadline", "nan"], "--deadline"),
      (["--deadline", "inf"], "--deadline"), (["--deadline", "1e300"], "--deadline"),
      (["--protection", "x"], "--protection x: it is on or off"),
      (["--protection", ""], "--protection : it is on or off"),
      (["--spares", "1"], "--spares 1: it goes with --workers"),
      (["--workers", "2", "--spares", "257"], "--spares 257"),
      (["--timeout", "-1"], "--timeout -1.0: it must be"),
      (["--patience", "0"], "--patience 0.0: it must be"), (["--patience", "nan"], "--patience"),
      (["--mask", "bidirectional"], "--mask bidirectional: it is full or causal"),
      (["--layout", "spiral"], "--layout spiral: it is contiguous or zigzag or striped"),
      (["--strategy", "magic"], "--strategy magic: it is auto or ring or ulysses or usp"),
      (["--grid", "1,1"], "--grid 1,1: it goes with --strategy usp, not with auto"),
      (
        ["--grid", "1,1", "--strategy", "ring"],
        "--grid 1,1: it goes with --strategy usp, not with ring"
      ),
      (["--strategy", "usp", "--grid", "1"], "--grid 1: it is U,R"),
      (["--strategy", "usp", "--grid", "1,1,1"], "--grid 1,1,1: it is U,R"),
      (["--strategy", "usp", "--grid", "one,1"], "--grid one,1: it is U,R"),
      (["--strategy", "usp", "--grid", "9223372036854775808,1"], "808,1: it is U,R"),
      (["--strategy", "usp", "--grid", "0,1"], "a grid of 0,1:"),
      (["--strategy", "usp", "--grid", "1,-1"], "a grid of 1,-1:"),
      (["--strategy", "usp", "--grid", "9223372036854775807,2"], "they must be 1 to 256"),
      (
        ["--strategy", "usp", "--grid", "16,17"],
        "a grid of 16,17: it has as many virtual ranks as its product, which is 272; they must be 1 to 256"
      ),
      (
        ["--strategy", "usp", "--grid", "2,1"],
        "2 groups don't divide batch × key/value heads, which is 1"
      ),
      (["--strategy", "usp", "--grid", "1,2"], "2 shards of tokens, but only 1 query tile"),
      (
        ["--strategy", "usp", "--grid", "1,1", "--vranks", "3"],
        "a grid of 1,1 has 1 virtual rank, not 3"
      ),
      (["--precision", "float16"], "--precision float16: it is float32 or bfloat16"),
      (["--output-dtype", "float64"], "--output-dtype float64: it is"),
      (["--output-dtype", "bfloat16"], "o.npy: .npy has no bfloat16"),
      (["--local", "--coordinator", "tcp://127.0.0.1:1"], "--local and --coordinator exclude"),
      (["--coordinator", "127.0.0.1:7700"], "tcp://HOST:PORT"),
      (["--coordinator", "http://127.0.0.1:7700"], "tcp://HOST:PORT"),
      (["--coordinator", ""], "tcp://HOST:PORT"),
      (["--coordinator", "tcp://127.0.0.1"], "tcp://HOST:PORT"),
      (["--coordinator", "tcp://127.0.0.1:65536"], "tcp://HOST:PORT"),
      (["--report", "missing/report.json"], "missing/report.json"),
      (["--report", "."], "report"), (["--report", ""], "report"),
      (["--report", "o.npy"], "--report"), (["--lse", "o.npy"], "--lse"),
      (["--lse", "./o.npy"], "--lse"), (["--lse", "lse.txt"], "lse.txt"),
      (["--lse", "missing/lse.npy"], "missing/lse.npy"),
    ]

    @Test(arguments: attendFlags)
    func attend(flags: [String], says: String) throws {
      try withScratch { scratch in
        let job = try job(scratch, output: "o.npy")
        expectRefusal(try scratch.run(job + flags), code: 2, says)
        expectNothingWritten(scratch)
      }
    }

    /// Where an output can't be.
    static let outputs = [
      ("missing/o.npy", "create the directory first"), ("directory.npy", "is a directory"),
      ("o.txt", ".npy"), ("o", ".npy"), ("", "empty path"), ("/proc/o.npy", "/proc/o.npy"),
      ("o.safetensors:", "tensor name"), ("key.npy/o.npy", "key.npy/o.npy"),
    ]

    @Test(arguments: outputs, [nil, 2])
    func output(at path: (name: String, says: String), workers: Int?) throws {
      try withScratch { scratch in
        mkdir(scratch.file("directory.npy"), 0o700)
        let mesh = workers.map { ["--workers", "\($0)"] } ?? []
        let run = try scratch.run(job(scratch, output: path.name) + mesh)
        expectRefusal(run, code: 2, path.says)
        expectNothingWritten(scratch, but: ["directory.npy"])
      }
    }

    /// Other spellings of the path of `key.npy`, each by what makes it.
    static let spellings = [
      "key.npy", "./key.npy", "tmp/../key.npy", "soft.npy", "hard.npy", "chain.npy",
    ]

    /// An output that is an input, whichever flag names it.
    @Test(arguments: ["--output", "--lse", "--report"], spellings)
    func outputsThatAreInputs(flag: String, path: String) throws {
      try withScratch { scratch in
        let inputs = try JobTensors.fixture(heads: 1, keyHeads: 1, tokens: 10).write(to: scratch)
        let key = contents(of: scratch.file("key.npy"))
        symlink("key.npy", scratch.file("soft.npy"))
        symlink("soft.npy", scratch.file("chain.npy"))
        link(scratch.file("key.npy"), scratch.file("hard.npy"))
        let output = flag == "--output" ? [] : ["--output", "o.npy"]
        for command in [["attend"], ["attend", "--workers", "2"]] {
          let run = try scratch.run(command + inputs + output + [flag, path])
          expectRefusal(run, code: 2, "\(flag) \(path) is the file of --key")
          #expect(contents(of: scratch.file("key.npy")) == key)
        }
        expectNothingWritten(scratch, but: ["soft.npy", "chain.npy", "hard.npy"])
      }
    }

    /// A file of several tensors is replaced as a whole, whatever tensor of it is named.
    @Test func outputsThatAreTensorsOfAnInput() throws {
      try withScratch { scratch in
        let inputs = try JobTensors.fixture(heads: 1, keyHeads: 1, tokens: 10)
          .write(to: scratch, format: "safetensors")
        let run = try scratch.run(
          ["attend", "--output", "./query.safetensors:other"] + inputs)
        expectRefusal(run, code: 2, "--output ./query.safetensors is the file of --query")
      }
    }

    @Test func outputsThatLeadToOneFile() throws {
      try withScratch { scratch in
        symlink("o.npy", scratch.file("lse.npy"))
        let run = try scratch.run(try job(scratch, output: "o.npy") + ["--lse", "lse.npy"])
        expectRefusal(run, code: 2, "--output and --lse are the same file")
        expectNothingWritten(scratch, but: ["lse.npy"])
      }
    }

    @Test func outputsThatAreKeys() throws {
      try withScratch { scratch in
        NpyFile.write(scratch.file("me.key"), Array("a key".utf8))
        let run = try scratch.run(
          ["result", "abcd", "--output", "o.npy", "--report", "me.key", "--identity", "me.key"])
        expectRefusal(run, code: 2, "--report me.key is the file of --identity")
        #expect(text(of: scratch.file("me.key")) == "a key")
      }
    }

    /// The argument parser explains these itself, in a few lines.
    static let usage: [[String]] = [
      ["--unknown"], ["--workers", "two"], ["--workers"], ["--scale", "big"],
      ["--threads", "1.5"], ["--protection"],
      ["--deadline", "soon"], ["stray"], ["--quiet=yes"],
      ["--query", "a", "b"],
    ]

    @Test(arguments: usage)
    func usageErrors(flags: [String]) throws {
      try withScratch { scratch in
        let run = try scratch.run(job(scratch, output: "o.npy") + flags)
        #expect(try run.wait() == .code(2))
        #expect(run.errors.contains("Usage: attnmesh attend"), "\(run.errors)")
        #expect(run.output == "")
        expectNothingWritten(scratch)
      }
    }

    @Test(arguments: [
      [], ["attend"], ["attend", "--query", "q.npy"], ["conquer"], ["--unknown"], ["result"],
      ["job"], ["cancel"], ["submit"],
    ])
    func missingFlags(arguments: [String]) throws {
      try withScratch { scratch in
        let run = try scratch.run(arguments)
        // Without a command it tells what there is.
        #expect(try run.wait() == .code(arguments.isEmpty ? 0 : 2), "\(run.errors)")
        #expect((run.output + run.errors).contains("attnmesh"))
      }
    }

    static let services: [([String], String)] = [
      (["coordinator", "--listen", "7700"], "tcp://HOST:PORT"),
      (["coordinator", "--listen", "tcp://127.0.0.1"], "tcp://HOST:PORT"),
      (["coordinator", "--listen", "tcp://127.0.0.1:65536"], "port"),
      (["coordinator", "--listen", "tcp://127.0.0.1:-1"], "port"),
      (["coordinator", "--listen", "tcp://127.0.0.1:http"], "port"),
      (["coordinator", "--quota", "0"], "--quota 0"),
      (["coordinator", "--quota", "9999999999T"], "--quota"),
      (["coordinator", "--quota", "much"], "--quota much: it must be a count of bytes"),
      (["coordinator", "--retention", "0"], "--retention"),
      (["coordinator", "--retention", "nan"], "--retention"),
      (["coordinator", "--store", "missing/store"], "--store missing/store"),
      (["coordinator", "--stragglers", "x"], "--stragglers x: it is report or rehost"),
      (["worker", "--checkpoints", "missing/c"], "--checkpoints missing/c: "),
      (["worker", "--checkpoints", "/proc/c"], "--checkpoints /proc/c: "),
      (["worker", "--checkpoints", "/proc"], "--checkpoints /proc: cannot make a file in /proc: "),
      (["worker", "--checkpoints", "/dev/null"], "give a directory that can be written"),
      (["worker", "--checkpoints", ""], "--checkpoints : "),
      (["worker", "--machine", ""], "--machine"),
      (["worker", "--machine", "two\nlines"], "--machine"),
      (["coordinator", "--advertise", "elsewhere"], "elsewhere"),
      (
        ["worker", "--memory", "10"], "10 B is too little, the least is 128 MiB; a number without K"
      ),
      (["worker", "--memory", "127M"], "--memory 127M: 127 MiB is too little"),
      (["coordinator", "--quota", "64"], "--quota 64: 64 B is too little, the least is 1.00 MiB"),
      (["worker", "--memory", "0"], "--memory 0"), (["worker", "--threads", "0"], "--threads 0"),
      (["simulate", "--threads", "0"], "--threads 0: it must be 1 to 1024"),
      (["worker", "--name", ""], "--name"),
      (["worker", "--name", String(repeating: "n", count: 64)], "--name"),
      (["worker", "--name", "two\nlines"], "--name"),
      (["worker", "--listen", "tcp://127.0.0.1:65536"], "65536"),
      (["worker", "--coordinator", "nowhere"], "nowhere"),
      (["jobs", "--coordinator", "nowhere"], "nowhere: "),
      (["result", "abcd", "--output", "o.txt"], "o.txt"),
      (["result", "abcd", "--output", "o.npy", "--lse", "o.npy"], "--lse"),
      (["result", "abcd", "--output", "o.npy", "--report", "missing/r"], "missing/r"),
    ]

    @Test(arguments: services)
    func otherCommands(arguments: [String], says: String) throws {
      try withScratch { scratch in
        // A port of its own, so that a default can't meet somebody's coordinator.
        let listen = arguments.contains("--listen") ? [] : ["--listen", "tcp://127.0.0.1:*"]
        let more = arguments[0] == "coordinator" || arguments[0] == "worker" ? listen : []
        expectRefusal(try scratch.run(arguments + more), code: 2, says)
        expectNothingWritten(scratch)
      }
    }

    @Test func variablesAreCheckedAsFlags() throws {
      try withScratch { scratch in
        for (mesh, cpu) in [([], "sse9"), (["--workers", "2"], "sse9"), ([], "")] {
          let run = try scratch.run(job(scratch, output: "o.npy") + mesh, ["ATTNMESH_CPU": cpu])
          expectRefusal(run, code: 2, "ATTNMESH_CPU=\(cpu)", "avx2")
        }
        expectRefusal(
          try scratch.run(["jobs"], ["ATTNMESH_COORDINATOR": "nowhere"]), code: 2, "nowhere")
        expectRefusal(
          try scratch.run(["coordinator"], ["ATTNMESH_LISTEN": "nowhere"]), code: 2, "nowhere")
        expectNothingWritten(scratch)
      }
    }

    /// Who has a mesh in the environment can still compute here.
    @Test func localInSpiteOfAMesh() throws {
      try withScratch { scratch in
        let mesh = ["ATTNMESH_COORDINATOR": "tcp://127.0.0.1"]
        for more in [[], ["--workers", "1"]] {
          let job = try job(scratch, output: "o.npy") + ["--quiet", "--local"] + more
          #expect(try scratch.run(job, mesh).wait() == .code(0))
        }
        expectRefusal(
          try scratch.run(job(scratch, output: "o.npy"), mesh), code: 2, "tcp://HOST:PORT")
      }
    }

    @Test func helpAndVersion() throws {
      try withScratch { scratch in
        let version = try scratch.run(["--version"])
        #expect(try version.wait() == .code(0))
        #expect(version.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
        let commands = [
          [], ["attend"], ["submit"], ["drain"], ["result"], ["jobs"], ["job"], ["cancel"],
          ["workers"],
          ["events"], ["coordinator"], ["worker"],
        ]
        for command in commands {
          let help = try scratch.run(command + ["--help"])
          #expect(try help.wait() == .code(0), "\(command)")
          #expect(help.output.contains("USAGE: attnmesh"), "\(command)")
          #expect(help.errors == "", "\(command)")
        }
      }
    }

    private func job(_ scratch: Scratch, output: String) throws -> [String] {
      try ["attend", "--output", output]
        + JobTensors.fixture(heads: 1, keyHeads: 1, tokens: 10).write(to: scratch)
    }

    private func expectNothingWritten(_ scratch: Scratch, but expected: [String] = []) {
      let known = ["query.npy", "key.npy", "value.npy", "tmp"] + expected
      let found = scratch.names(in: scratch.path).filter { name in
        !known.contains(name) && !name.hasPrefix("out-") && !name.hasPrefix("err-")
      }
      #expect(found == [])
      #expect(scratch.names(in: scratch.temporary) == [])
    }
  }
}
