internal import FlyingFox
internal import MeshCore
package import MeshRuntime

extension Site {
  /// Health, metrics and a plain page of a worker.
  package static func worker(_ board: StatusBoard<WorkerReport>) -> Site {
    Site([
      "/": {
        board.aged.map { report, age in .text(report.page(age: age)) } ?? .health(notStarted)
      },
      "/healthz": {
        board.aged.map { report, age in .health(report.problem(age: age)) } ?? .health(notStarted)
      },
      "/readyz": {
        board.aged.map { report, age in .health(report.notReady(age: age)) } ?? .health(notStarted)
      },
      "/metrics": {
        board.aged.map { report, age in .metrics(report.metrics(age: age)) } ?? .health(notStarted)
      },
    ])
  }
}

extension WorkerReport {
  /// A few lines for a person.
  fileprivate func page(age: Double) -> String {
    var lines = [
      "attnmesh worker \(name.onOneLine)", "coordinator  \(coordinator.onOneLine)",
      "health       \(problem(age: age) ?? "ok")", "ready        \(notReady(age: age) ?? "yes")",
      "job          \(job.map { "\($0)" } ?? "none")",
    ]
    for rank in ranks {
      lines.append(
        "rank \(rank.vrank)       tile \(rank.next) of \(rank.needed), copied \(rank.copied), on"
          + " disk \(rank.durable)")
    }
    lines.append("see          /healthz /readyz /metrics; the ring is shown by the coordinator")
    return lines.joined(separator: "\n") + "\n"
  }
}

extension String {
  fileprivate var onOneLine: String { String(map { $0.isNewline ? " " : $0 }) }
}
