internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// `attnmesh coordinator backup`.
struct CoordinatorBackup: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy a coordinator's state into a file, while it runs.",
    discussion: """
      In the file is the journal: the coordinator's term, and every job with its state and digests.
      Inputs and results are not: each job has them in a directory of its own, STORE/JOB, whose files
      don't change once the job is queued or done; copy those beside it, for example with rsync.

      Example:
        attnmesh coordinator backup /backup/journal-$(date +%F) --store /var/lib/attnmesh
      """)

  @Argument(help: "The file to write. It appears when it is whole and has been read through.")
  var file: String
  @OptionGroup var store: StoreOption
  @Flag(help: "Replace a file that is there.") var force = false
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let summary = try StoreBackup.make(of: try store.path(), to: file, replaces: force)
    if json { return printJSON(BackupView(summary, file: file)) }
    print("\(file): \(summary.jobs) jobs, term \(summary.term), \(summary.bytes) bytes, verified")
  }
}

/// `attnmesh coordinator restore`.
struct CoordinatorRestore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Make a coordinator's state from a backup, before it is started.",
    discussion: """
      The store must have no journal and no coordinator. Put directories of jobs back first: a job that
      waits fails without its inputs when the coordinator starts, with the reason; a finished one
      without its result stays listed, and directories of jobs that the backup doesn't know are removed
      then. Jobs that were running begin anew. Jobs submitted after the backup are unknown; submit them
      again.

      The coordinator starts under a term above that of the backup and above its clock in milliseconds.
      A worker that has followed a higher one refuses to go back: it is refused at hello, ends with exit
      code 2, and joins when it is started again.
      """)

  @Argument(help: "The file that `attnmesh coordinator backup` wrote.")
  var file: String
  @OptionGroup var store: StoreOption
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let path = try store.path()
    let summary = try StoreBackup.restore(file, to: path)
    if json { return printJSON(BackupView(summary, file: file)) }
    for job in summary.requeued { print("job \(job) was running; it begins anew") }
    for job in summary.withoutResult { print("job \(job) is done; its result isn't in \(path)") }
    print("\(path): \(summary.jobs) jobs, restored; start the coordinator with --store \(path)")
  }
}

struct StoreOption: ParsableArguments {
  @Option(help: "The coordinator's store. (or ATTNMESH_STORE)")
  var store: String?

  func path() throws(MeshError) -> String {
    guard let path = store ?? environment("ATTNMESH_STORE") else {
      throw MeshError(.badInput, "give the coordinator's store: --store DIR")
    }
    return path
  }
}

private struct BackupView: Encodable {
  var file: String
  var term: UInt64
  var jobs: Int
  var requeued: [String]
  var withoutResult: [String]

  init(_ summary: StoreBackup.Summary, file: String) {
    self.file = file
    term = summary.term
    jobs = summary.jobs
    requeued = summary.requeued.map(\.description)
    withoutResult = summary.withoutResult.map(\.description)
  }
}
