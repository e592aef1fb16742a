internal import Foundation
internal import MeshCore
internal import MeshJournal

/// Workers that a coordinator knows, beside its events: JSON, which an operator can read too.
extension WorkerStatus {
  private struct Document: Codable {
    var worker: WorkerID
    var name: String
    var process: Int
    var numerics: String
    var level: String
    var threads: Int
    var memoryBytes: Int
    var residentBytes: Int
    var endpoint: String
    var silentSeconds: Double
    /// Of one that was lost.
    var lostAt: Double?
    var lostReason: String?
  }

  static func document(_ workers: [WorkerStatus]) -> [UInt8] {
    let documents = workers.map { worker in
      Document(
        worker: worker.worker, name: worker.name, process: worker.processID,
        numerics: worker.numerics, level: worker.level, threads: worker.threads,
        memoryBytes: worker.memoryBytes, residentBytes: worker.residentBytes,
        endpoint: worker.endpoint, silentSeconds: worker.silentSeconds, lostAt: worker.loss?.at,
        lostReason: worker.loss?.reason)
    }
    // Text and finite numbers: there is nothing that JSON can't hold.
    guard let body = try? JSONEncoder().encode(documents) else {
      preconditionFailure("no JSON of \(workers.count) workers")
    }
    return Array(body)
  }

  static func workers(of body: [UInt8]) throws(JournalError) -> [WorkerStatus] {
    guard let documents = try? JSONDecoder().decode([Document].self, from: Data(body)) else {
      throw .damaged("the list of workers isn't what was written")
    }
    return documents.map { document in
      let loss = document.lostAt.map { WorkerLoss(at: $0, reason: document.lostReason ?? "") }
      return WorkerStatus(
        worker: document.worker, name: document.name, processID: document.process,
        numerics: document.numerics, level: document.level, threads: document.threads,
        memoryBytes: document.memoryBytes, residentBytes: document.residentBytes,
        endpoint: document.endpoint, silentSeconds: document.silentSeconds, job: nil, vranks: [],
        standing: loss == nil ? .active : .lost, loss: loss)
    }
  }
}
