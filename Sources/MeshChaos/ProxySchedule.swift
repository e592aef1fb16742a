/// Faults that change by themselves: phases in turn, for ever.
package struct ProxySchedule: Hashable, Sendable, CustomStringConvertible {
  /// Faults for a while.
  package struct Phase: Hashable, Sendable {
    package var faults: LinkFaults
    package var duration: Duration

    package init(_ faults: LinkFaults, _ duration: Duration) {
      self.faults = faults
      self.duration = duration
    }
  }

  private let phases: [Phase]
  private let period: Duration

  package init(_ phases: [Phase]) {
    precondition(!phases.isEmpty, "a schedule has a phase")
    precondition(phases.allSatisfy { $0.duration > .zero }, "a phase takes time")
    self.phases = phases
    period = phases.reduce(.zero) { $0 + $1.duration }
  }

  /// The same faults for ever.
  package static func always(_ faults: LinkFaults) -> ProxySchedule {
    ProxySchedule([Phase(faults, .seconds(1))])
  }

  /// Bad for half of each period, then good for the other half.
  package static func flapping(_ faults: LinkFaults, period: Duration) -> ProxySchedule {
    ProxySchedule([Phase(faults, period / 2), Phase(.pass, period - period / 2)])
  }

  package var description: String {
    phases.count == 1
      ? "\(phases[0].faults)"
      : phases.map { "\($0.faults) for \($0.duration)" }.joined(separator: ", then ")
  }

  /// The same, seen from the other side.
  var reversed: ProxySchedule {
    ProxySchedule(phases.map { Phase($0.faults.reversed, $0.duration) })
  }

  /// The faults at a time since the schedule began, and when they end; nil for never.
  package func faults(at elapsed: Duration) -> (faults: LinkFaults, end: Duration?) {
    guard phases.count > 1 else { return (phases[0].faults, nil) }
    var start = period * (elapsed / period).rounded(.down)
    // Rounding may have put the start of the period a moment too late.
    if start > elapsed { start -= period }
    while true {
      for phase in phases {
        start += phase.duration
        if elapsed < start { return (phase.faults, start) }
      }
    }
  }
}
