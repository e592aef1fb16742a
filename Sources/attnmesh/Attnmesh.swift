internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// Exact attention over sequences too long for one machine.
@main
struct Attnmesh: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attnmesh",
    abstract: "Exact attention over sequences too long for one machine.",
    discussion: """
      attend computes softmax(QKᵀ·scale + mask)V of tensors on disk, on this machine or on a mesh of
      workers; the bits of the output don't depend on how many.

      Examples:
        attnmesh attend --query q.npy --key k.npy --value v.npy --output o.npy \\
          --mask causal
        attnmesh attend --query q.npy --key k.npy --value v.npy --output o.npy \\
          --workers 4

      Exit codes: 0 done, 1 the job failed, 2 bad input, wrong flags or no room for the job, 3 mesh
      unreachable or lost, 124 the time of `wait --timeout` has passed, 130 interrupted. With --json an
      error is one line of JSON on standard error: "error", "exit_code" and "kind".

      `attnmesh help COMMAND` has the options of a command; `attnmesh manual` prints all of this as a
      man page: attnmesh manual | man -l -
      """.prose,
    version: programVersion,
    subcommands: [
      Attend.self, Grad.self, Check.self, Inspect.self, Submit.self, ResultCommand.self, Jobs.self,
      Job.self,
      Wait.self, Cancel.self, Remove.self, Status.self, Top.self, Workers.self, Drain.self,
      Cordon.self, Uncordon.self, Events.self,
      LimitsCommand.self, Health.self, CoordinatorCommand.self, WorkerCommand.self, Keygen.self,
      Bench.self, ChaosCommand.self, SimulateCommand.self, Manual.self,
    ])

  static func main() {
    openStandardDescriptors()
    // A reader that goes away, as in `attnmesh jobs | head`, is no reason to die by signal.
    signal(SIGPIPE, SIG_IGN)
    // Process 1 of a container is not ended by signals unless it says so; some verbs then say more.
    if getpid() == 1 {
      for number in [SIGINT, SIGTERM] { signal(number) { _exit(128 + $0) } }
    }
    let arguments = CommandLineArguments(words: Array(CommandLine.arguments.dropFirst()))
    do {
      var command = try parseAsRoot(arguments.completed)
      try command.run()
      try flushOutput()
    } catch let error as MeshError {
      // What was printed until then.
      fflush(nil)
      end(error.message, error.kind)
    } catch {
      let text = fullMessage(for: error)
      // The argument parser exits with 64 on a wrong flag; scripts rely on 2.
      guard exitCode(for: error) == .success else {
        end(explained(text, arguments), .badInput, prefixed: false)
      }
      print(text)
      do {
        try flushOutput()
      } catch {
        end(error.message, error.kind)
      }
    }
  }

  /// What the argument parser says, or of a misspelt verb or option, which it takes for something else, that.
  private static func explained(_ text: String, _ arguments: CommandLineArguments) -> String {
    let isUsage = text.hasPrefix("Error: ")
    var text = text
    func blame(_ what: String, _ suggestion: String?) {
      let usage = text.firstRange(of: "\nUsage: ").map { text[$0.lowerBound...] } ?? ""
      text = "Error: Unknown \(what)." + (suggestion.map { " Did you mean '\($0)'?" } ?? "") + usage
    }
    if isUsage, let (verb, suggestion) = arguments.unknownVerb(help: _dumpHelp()) {
      blame("command '\(verb)'", suggestion)
    } else if isUsage, !text.contains("nknown option"),
      let (option, suggestion) = arguments.unknownOption(help: _dumpHelp())
    {
      blame("option '\(option)'", suggestion)
    }
    guard isUsage, MessageFormat.own != .text else { return text }
    return String(text.dropFirst("Error: ".count).prefix { !$0.isNewline })
  }

  /// Ends the process with a line and the exit code.
  static func end(
    _ text: String, _ kind: MeshError.Kind, prefixed: Bool = true
  ) -> Never {
    say(MessageFormat.own.failure(text, kind: kind, prefixed: prefixed))
    Foundation.exit(kind.exitCode)
  }

  /// One line to standard error.
  static func complain(_ text: String, prefixed: Bool = true) {
    say(MessageFormat.own.notice(text, prefixed: prefixed))
  }

  private static func say(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }
}
