internal import Foundation
package import MeshCore
package import MeshJournal

/// Jobs in the journal: JSON, which an operator can read too.
extension JobImage {
  package func entry() -> Journal.Entry {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    // Numbers, text and arrays of them: there is nothing that JSON can't hold. A scale is finite.
    guard let image = try? encoder.encode(self) else {
      preconditionFailure("job \(job) can't be written as JSON")
    }
    return Journal.Entry(id: "\(job)", number: number, image: Array(image))
  }

  /// - Throws: `.badInput` when the entry isn't one that this version writes.
  package init(_ entry: Journal.Entry) throws(MeshError) {
    do {
      self = try JSONDecoder().decode(JobImage.self, from: Data(entry.image))
    } catch {
      throw MeshError(
        .badInput,
        "the store's journal has a job, \(entry.id), that this version can't read: \(error)")
    }
    guard version == 1, run?.table.problem == nil else {
      throw MeshError(
        .badInput, "the store's journal has a job, \(entry.id), of version \(version), or damaged")
    }
  }
}
