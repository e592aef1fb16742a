internal import Glibc
internal import MeshCore
internal import MeshRuntime
internal import Synchronization

/// What a coordinator in this process observes of its workers, with the time on the system's
/// monotonic clock, and which losses were meant to happen.
final class MeshWatch: Sendable {
  /// Something that was observed.
  struct Sighting: Sendable {
    let observation: Observation
    let seconds: Double
  }

  private struct State {
    var isOver = false
    var sightings: [Sighting] = []
    var victims: Set<String> = []
    var falseLosses: [String] = []
  }

  private let state = Mutex(State())

  /// To be given to the mesh.
  var log: ObservationLog {
    ObservationLog { [self] in note($0) }
  }

  private func note(_ observation: Observation) {
    let now = seconds(of: CLOCK_MONOTONIC)
    state.withLock { state in
      guard !state.isOver,
        let worker = observation.worker ?? (observation.kind == .coordinatorLate ? "" : nil)
      else { return }
      state.sightings.append(Sighting(observation: observation, seconds: now))
      if observation.kind == .workerLost, !state.victims.contains(worker) {
        state.falseLosses.append("\(worker): \(observation.detail)")
      }
    }
  }

  /// From now on the loss of this worker is no mistake.
  func expectLoss(of worker: String) {
    state.withLock { _ = $0.victims.insert(worker) }
  }

  /// It is back: its loss would be a mistake.
  func expectNoLoss(of worker: String) {
    state.withLock { _ = $0.victims.remove(worker) }
  }

  /// What comes now comes of the end of the mesh.
  func stop() { state.withLock { $0.isOver = true } }

  /// Workers that were taken for lost and weren't.
  var falseLosses: [String] { state.withLock { $0.falseLosses } }

  func count(_ kind: Observation.Kind) -> Int {
    state.withLock { $0.sightings.count { $0.observation.kind == kind } }
  }

  /// Waits for an observation of a worker made at `start` or later; nil when none comes in time.
  func wait(
    for kind: Observation.Kind, of worker: String, since start: Double, upTo patience: Double
  ) -> Sighting? {
    while true {
      let found = state.withLock { state in
        state.sightings.last {
          $0.observation.kind == kind && $0.observation.worker == worker && $0.seconds >= start
        }
      }
      if found != nil || seconds(of: CLOCK_MONOTONIC) > start + patience { return found }
      rest(seconds: 0.002)
    }
  }
}
