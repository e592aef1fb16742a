internal import ElementTypes
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// Prints a value as JSON with snake_case keys.
func printJSON(_ value: some Encodable, isPretty: Bool = true) {
  let encoder = JSONEncoder()
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.outputFormatting =
    isPretty
    ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    : [.sortedKeys, .withoutEscapingSlashes]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  guard let data = try? encoder.encode(value) else {
    preconditionFailure("not encodable: \(value)")
  }
  print(String(decoding: data, as: UTF8.self))
}

/// Prints rows in columns as wide as their widest cell.
func printTable(_ heading: [String], _ rows: [[String]]) {
  for line in table(heading, rows) { print(line) }
}

/// Rows as lines, in columns as wide as their widest cell.
func table(_ heading: [String], _ rows: [[String]]) -> [String] {
  let all = [heading] + rows
  let widths = heading.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
  return all.map { row in
    let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
    var line = cells.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return line
  }
}

extension JobReport {
  /// Writes it where it is asked for, and says once how the job went.
  func tell(to path: String?, json: Bool, quiet: Bool) throws {
    if let path { try write(to: path) }
    guard path != JobReport.standardOutput else { return }
    if json {
      print(try self.json())
    } else if !quiet {
      print(summary)
    }
  }
}

extension ProgressBar {
  /// Tiles folded per rank.
  func show(_ status: JobStatus) {
    let job = status.summary
    show(
      status.ranks.map {
        Rank(name: "rank \($0.vrank) on \($0.worker)", done: $0.next, total: $0.needed)
      },
      heading: "job \(job.job) \(job.state.name)\(job.reason.isEmpty ? "" : ": \(job.reason)")")
  }

  /// Bytes moved.
  func show(sent: Int, of total: Int) {
    show([], heading: "\(bytes(sent)) of \(bytes(total))", of: (sent, total))
  }
}
