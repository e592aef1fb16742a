import Foundation
import Glibc
import Testing

extension Integration {
  /// What commands say of themselves, and how they say that something is wrong.
  @Suite struct CommandLine {
    @Test("a misspelt option is told as one, not as another that is missing")
    func misspelt() throws {
      try withScratch { scratch in
        let cases = [
          (
            ["attend", "--querry", "q.npy", "--key", "k.npy"], "'--querry'. Did you mean '--query'?"
          ),
          (["job", "--folow"], "'--folow'. Did you mean '--follow'?"),
          (["result", "abcd", "--ouptut=o.npy"], "'--ouptut'. Did you mean '--output'?"),
          (["coordinator", "restore", "--stroe", "s"], "'--stroe'. Did you mean '--store'?"),
          (["attend", "--completely-else"], "Unknown option '--completely-else'.\n"),
        ]
        for (arguments, says) in cases {
          let run = try scratch.run(arguments)
          #expect(try run.wait() == .code(2))
          #expect(run.errors.contains(says), "\(run.errors)")
          #expect(run.errors.contains("Usage: attnmesh \(arguments[0])"))
        }
      }
    }

    @Test("a misspelt verb is told as one, whatever comes after it")
    func misspeltVerbs() throws {
      try withScratch { scratch in
        let cases = [
          (["wokers"], "'wokers'. Did you mean 'workers'?"),
          (["sumbit", "--query", "q.npy"], "'sumbit'. Did you mean 'submit'?"),
          (["bench", "kernle"], "'kernle'. Did you mean 'kernel'?"),
          (["coordinator", "restroe", "f"], "'restroe'. Did you mean 'restore'?"),
          (["completely-else"], "Unknown command 'completely-else'.\n"),
        ]
        for (arguments, says) in cases {
          let run = try scratch.run(arguments)
          #expect(try run.wait() == .code(2))
          #expect(run.errors.contains(says), "\(run.errors)")
        }
      }
    }

    @Test("a negative number is an option's value")
    func negativeNumbers() throws {
      try withScratch { scratch in
        let job = try JobTensors.fixture(heads: 1, keyHeads: 1, tokens: 10).write(to: scratch)
        let attend = ["attend", "--quiet", "--output", scratch.file("o.npy")] + job
        for scale in ["-1", "-0.5", "-1e-3", "-.5"] {
          #expect(try scratch.run(attend + ["--scale", scale]).wait() == .code(0), "\(scale)")
        }
        let joined = try scratch.run(attend + ["--scale=-1"])
        #expect(try joined.wait() == .code(0))
        expectRefusal(try scratch.run(attend + ["--scale", "-inf"]), code: 2, "scale is -inf")
        expectRefusal(
          try scratch.run(["coordinator", "--retention", "-1"]), code: 2, "--retention -1")
        expectRefusal(try scratch.run(["coordinator", "--quota", "-5G"]), code: 2, "--quota -5G")
      }
    }

    /// Runs a command whose standard output can't be written.
    private func run(_ arguments: [String], _ scratch: Scratch, into output: String) throws
      -> Program
    {
      let program = try Program(
        arguments, environment: ["TMPDIR": scratch.temporary, "PATH": "/usr/bin:/bin"],
        outputPath: output, errorPath: scratch.file("error-\(UUID())"), directory: scratch.path)
      try program.wait()
      return program
    }

    @Test("output that can't be written is an error of every command")
    func fullOutput() throws {
      try withScratch { scratch in
        NpyFile.write(scratch.file("q.npy"), shape: [1, 2, 3])
        let commands = [
          ["limits"], ["limits", "--json"], ["--help"], ["--version"], ["help", "attend"],
          ["inspect", "q.npy"], ["--generate-completion-script", "bash"], ["manual"],
        ]
        for command in commands {
          for (output, reason) in [("/dev/full", "No space left"), ("", "Bad file descriptor")] {
            let program = try run(command, scratch, into: output)
            #expect(try program.wait() == .code(2), "\(command)")
            #expect(program.errors.contains("can't be written"), "\(command): \(program.errors)")
            // Of what is larger than the buffer, the reason was told to nobody.
            let isLate = program.errors.contains("an earlier part was lost")
            #expect(isLate || program.errors.contains(reason), "\(command): \(program.errors)")
          }
        }
      }
    }

    @Test(
      "keys whose public half reached nobody aren't left behind; as JSON they are told without the secret"
    )
    func keys() throws {
      try withScratch { scratch in
        let keygen = ["keygen", "--name", "alice", "--output", scratch.file("a.key")]
        for flags in [[], ["--json"]] {
          let lost = try run(keygen + flags, scratch, into: "/dev/full")
          #expect(try lost.wait() == .code(2))
          #expect(!scratch.exists("a.key") && !scratch.exists("a.key.pub"))
        }
        let made = try scratch.run(keygen + ["--json"])
        let found = try jsonObject(made.output)
        #expect(found["file"] as? String == scratch.file("a.key"))
        #expect(found["public_file"] as? String == scratch.file("a.key.pub"))
        #expect(found["role"] as? String == "operator" && found["name"] as? String == "alice")
        let line = try #require(found["line"] as? String)
        #expect(text(of: scratch.file("a.key.pub")) == line + "\n")
        #expect(line.hasSuffix(try #require(found["public_key"] as? String)))
        let secret = text(of: scratch.file("a.key")).split(separator: " ").last ?? "none"
        #expect(!made.output.contains(secret.dropLast()))
      }
    }

    @Test("with --json an error is one object on standard error, and so is what is told by the way")
    func jsonErrors() throws {
      try withScratch { scratch in
        let cases: [([String], Int, String, String)] = [
          (["inspect", "none.npy", "--json"], 2, "bad_input", "No such file"),
          (["jobs", "--json", "--coordinator", "nowhere"], 2, "bad_input", "tcp://HOST:PORT"),
          (["jobs", "--json", "--unknown"], 2, "bad_input", "'--unknown'"),
          (["job", "--json"], 2, "bad_input", "job"),
          (["bogus", "--json"], 2, "bad_input", "Unknown command 'bogus'."),
        ]
        for (arguments, code, kind, says) in cases {
          let run = try scratch.run(arguments)
          #expect(try run.wait() == .code(code))
          #expect(run.output == "" && run.errorLines.count == 1, "\(run.errors)")
          let error = try jsonObject(run.errors)
          let text = try #require(error["error"] as? String)
          #expect(error["exit_code"] as? Int == code)
          #expect(error["kind"] as? String == kind)
          #expect(text.contains(says), "\(run.errors)")
          #expect(!text.hasPrefix("Error"))
        }
      }
    }

    @Test("a service whose log is JSON says nothing else on standard error, until its end")
    func jsonLog() throws {
      try withScratch { scratch in
        let service = try scratch.start(
          ["coordinator", "run", "--listen", "tcp://127.0.0.1:*", "--log-format", "json"])
        try eventually("the address") { service.errors.contains("data at") }
        service.signal(SIGTERM)
        #expect(try service.wait() == .code(0))
        let wrong = try scratch.run(
          ["worker", "--listen", "nowhere", "--coordinator", "tcp://127.0.0.1:1"],
          ["ATTNMESH_LOG_FORMAT": "json"])
        #expect(try wrong.wait() == .code(2))
        for line in try jsonLines(service.errors) + jsonLines(wrong.errors) {
          for key in ["time", "level", "message"] { #expect(line[key] is String, "\(line)") }
        }
        #expect(try jsonObject(wrong.errors)["level"] as? String == "error")
      }
    }

    @Test("help is wrapped once, fits a terminal, and names each default once")
    func help() throws {
      try withScratch { scratch in
        let dump = try jsonObject(try scratch.run(["--experimental-dump-help"]).output)
        var count = 0
        func walk(_ command: [String: Any], _ path: String) {
          count += 1
          let text = command["discussion"] as? String ?? ""
          var last = ""
          for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let isTooLong = line.first == " " && line.count > 79
            #expect(!isTooLong, "\(path): \(line)")
            let isBroken =
              !last.isEmpty && last.last != ":" && last.first != " " && !line.isEmpty
              && line.first != " "
            #expect(!isBroken, "\(path): a paragraph is broken before \(line)")
            last = String(line)
          }
          let arguments = command["arguments"] as? [[String: Any]] ?? []
          let names = arguments.flatMap { argument in
            (argument["names"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
              .filter { $0 != "help" }
          }
          #expect(Set(names).count == names.count, "\(path): an option twice: \(names)")
          for argument in arguments {
            let abstract = argument["abstract"] as? String ?? ""
            let isTold = argument["defaultValue"] != nil && abstract.contains("(default")
            #expect(!isTold, "\(path): \(abstract)")
          }
          for next in command["subcommands"] as? [[String: Any]] ?? [] {
            walk(next, "\(path) \(next["commandName"] as? String ?? "")")
          }
        }
        walk(try #require(dump["command"] as? [String: Any]), "attnmesh")
        #expect(count > 30)
        let coordinator = try scratch.run(["coordinator", "--help"]).output
        for flag in ["--listen", "--store", "--quota", "--http", "--log-format", "backup"] {
          #expect(coordinator.contains(flag), "\(flag)")
        }
      }
    }
  }
}
