internal import FlyingFox
package import MeshRuntime

extension Site {
  /// Health, metrics and the live page of a coordinator.
  package static func coordinator(_ board: StatusBoard<CoordinatorReport>) -> Site {
    Site([
      "/": { Dashboard.response },
      "/ring.json": {
        board.aged.map { report, age in .json(RingView(report, age: age)) } ?? .health(notStarted)
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

extension StatusBoard {
  /// The newest report, and the seconds since it was written.
  var aged: (Report, Double)? {
    read().map { ($0.report, max(.zero, Self.now - $0.writtenAt) / .seconds(1)) }
  }
}
