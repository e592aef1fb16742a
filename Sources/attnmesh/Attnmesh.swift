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
        attnmesh attend --query q.npy --key k.npy --value v.npy --output o.npy --mask causal
        attnmesh attend --query q.npy --key k.npy --value v.npy --output o.npy --workers 4

      Exit codes: 0 done, 1 the job failed, 2 bad input or wrong flags, 3 mesh unreachable or lost,
      124 the time of `wait --timeout` has passed, 130 interrupted.
      """.prose,
    version: programVersion,
    subcommands: [
      Attend.self, Check.self, Inspect.self, Submit.self, ResultCommand.self, Jobs.self, Job.self,
      Wait.self, Cancel.self, Remove.self, Status.self, Top.self, Workers.self, Drain.self,
      Cordon.self, Uncordon.self, Events.self,
      LimitsCommand.self, Health.self, CoordinatorCommand.self, WorkerCommand.self, Keygen.self,
      Bench.self, ChaosCommand.self, SimulateCommand.self,
    ])

  static func main() {
    // Started with one of them closed: the next file or pipe would take its place, and lose it again to
    // whoever is given a standard input.
    for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) == -1 {
      _ = open("/dev/null", O_RDWR)
    }
    // A reader that goes away, as in `attnmesh jobs | head`, is no reason to die by signal.
    signal(SIGPIPE, SIG_IGN)
    // Process 1 of a container is not ended by signals unless it says so; some verbs then say more.
    if getpid() == 1 {
      for number in [SIGINT, SIGTERM] { signal(number) { _exit(128 + $0) } }
    }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as MeshError {
      complain(error.message)
      Foundation.exit(error.kind.rawValue)
    } catch {
      // The argument parser exits with 64 on a wrong flag; scripts rely on 2.
      let code = exitCode(for: error)
      let text = fullMessage(for: error)
      guard code == .success else {
        complain(text, prefixed: false)
        Foundation.exit(2)
      }
      print(text)
    }
  }

  /// One line to standard error.
  static func complain(_ text: String, prefixed: Bool = true) {
    FileHandle.standardError.write(Data(((prefixed ? "attnmesh: " : "") + text + "\n").utf8))
  }
}
