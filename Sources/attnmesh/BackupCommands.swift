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
      don't change once the job is queued or done. Copy those after the journal, not before it: a job
      that ends in between is then computed again, and never taken for done with half of its result.
      Events are not in it either.

      Example, in this order:
        attnmesh coordinator backup /backup/journal-$(date +%F) \\
          --store /var/lib/attnmesh
        rsync -a --exclude '*.sqlite*' --exclude lock \\
          /var/lib/attnmesh/ /backup/jobs/
      """.prose)

  @Argument(help: "The file to write. It appears when it is whole and has been read through.")
  var file: String
  @OptionGroup var store: StoreOption
  @Flag(help: "Replace a file that is there.") var force = false
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let summary = try StoreBackup.make(of: try store.path(), to: file, replaces: force)
    if json { return printJSON(BackupView(summary, file: file)) }
    print(
      "\(file): \(counted(summary.jobs, "job")), term \(summary.term),"
        + " \(counted(summary.bytes, "byte")), verified")
    let store = try store.path()
    print("now copy the directories of jobs: inputs and results are in \(store)/JOB")
  }
}

/// `attnmesh coordinator restore`.
struct CoordinatorRestore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Make a coordinator's state from a backup, before it is started.",
    discussion: """
      The store must have no journal and no coordinator. The order: restore the journal, put the
      directories of jobs back, start the coordinator. A job that waits fails when the coordinator
      starts without its inputs, with the reason. A result may come later: it is found when it is asked
      for. Directories of jobs that the backup doesn't know are removed at the start. Jobs that were
      running begin anew. Jobs submitted after the backup are unknown; submit them again. Results expire
      by their age, also those of an old backup: give the coordinator a --retention that is long enough.

      Example, in this order:
        attnmesh coordinator restore /backup/journal-2026-11-30 \\
          --store /var/lib/attnmesh
        rsync -a /backup/jobs/ /var/lib/attnmesh/
        attnmesh coordinator --store /var/lib/attnmesh

      The coordinator starts under a term above that of the backup and above its clock in milliseconds.
      A worker that has followed a higher one refuses to go back: it is refused at hello, ends with exit
      code 2, and joins when it is started again.
      """.prose)

  @Argument(help: "The file that `attnmesh coordinator backup` wrote.")
  var file: String
  @OptionGroup var store: StoreOption
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let path = try store.path()
    let summary = try StoreBackup.restore(file, to: path)
    if json { return printJSON(BackupView(summary, file: file)) }
    for line in Self.lines(summary, path) { print(line) }
  }

  /// What is urgent comes last, where it is still seen after a thousand jobs.
  private static func lines(_ summary: StoreBackup.Summary, _ path: String) -> [String] {
    var lines = ["\(path): \(counted(summary.jobs, "job")), restored"]
    func add(_ jobs: [JobID], _ what: (String) -> String, atMost most: Int) {
      guard !jobs.isEmpty else { return }
      lines.append(what(counted(jobs.count, "job")) + ":")
      lines += jobs.prefix(most).map { "  \(path)/\($0)" }
      if jobs.count > most { lines.append("  … and \(jobs.count - most) more; --json has all") }
    }
    if !summary.requeued.isEmpty {
      lines.append("\(counted(summary.requeued.count, "job")) of them ran, and will begin anew")
    }
    add(
      summary.withoutResult, { "\($0) done, results to be put back now or later" }, atMost: 5)
    add(
      summary.withoutInputs,
      { "\($0) waiting, inputs to be put back BEFORE the coordinator starts, or they fail" },
      atMost: 50)
    let first = summary.withoutInputs.isEmpty ? "" : "put the directories of jobs back, then "
    return lines + ["\(first)start the coordinator with --store \(path)"]
  }
}

struct StoreOption: ParsableArguments {
  @Option(
    help: """
      The coordinator's directory for jobs, inputs and results. (or ATTNMESH_STORE; without one a \
      coordinator has unnamed files, and its jobs end with it)
      """)
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
  var withoutInputs: [String]
  var withoutResult: [String]

  init(_ summary: StoreBackup.Summary, file: String) {
    self.file = file
    term = summary.term
    jobs = summary.jobs
    requeued = summary.requeued.map(\.description)
    withoutInputs = summary.withoutInputs.map(\.description)
    withoutResult = summary.withoutResult.map(\.description)
  }
}
