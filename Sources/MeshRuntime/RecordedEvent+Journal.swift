internal import Foundation
internal import MeshCore
internal import MeshJournal

extension RecordedEvent {
  /// JSON, which an operator can read too.
  private struct Document: Codable {
    var time: Double
    var kind: String
    var job: String?
    var worker: String?
    var vrank: Int?
    var detail: String
  }

  func entry() -> EventJournal.Entry {
    let document = Document(
      time: wallSeconds, kind: observation.kind.name, job: observation.job.map { "\($0)" },
      worker: observation.worker, vrank: observation.vrank?.index, detail: observation.detail)
    // Text and finite numbers: there is nothing that JSON can't hold.
    guard let body = try? JSONEncoder().encode(document) else {
      preconditionFailure("no JSON of event \(sequence)")
    }
    return EventJournal.Entry(sequence: sequence, body: Array(body))
  }

  /// What was kept of an event; one of a kind that this version doesn't know keeps its place.
  ///
  /// - Parameter start: what the clock of `seconds` is behind that of the wall.
  init(_ entry: EventJournal.Entry, start: Double) {
    let found = try? JSONDecoder().decode(Document.self, from: Data(entry.body))
    let kind = Observation.Kind.allCases.first { $0.name == found?.kind }
    var observation = Observation(kind ?? .messageDropped)
    observation.job = found?.job.flatMap { JobID($0) }
    observation.worker = found?.worker
    observation.vrank = found?.vrank.flatMap { index in
      (0..<Limits.vranksMaximum).contains(index) ? VRank(index) : nil
    }
    observation.detail = found?.detail ?? ""
    if kind == nil {
      observation.detail = "an event that this version doesn't know: \(found?.kind ?? "")"
    }
    let time = found?.time ?? 0
    self.init(
      sequence: entry.sequence, seconds: time - start, wallSeconds: time, observation: observation)
  }
}
