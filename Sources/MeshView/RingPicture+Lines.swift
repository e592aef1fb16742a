internal import MeshCore

extension RingPicture {
  /// The picture as text: at most `height` lines of at most `width` characters. Where there is too
  /// little room, the end of each part is left out, and says so.
  ///
  /// - Parameter silence: how long the coordinator has not answered, if it doesn't.
  package func lines(width: Int, height: Int, silence: Double? = nil) -> [String] {
    let head = heading(silence)
    let story = recoveries
    let told = look.events.map { line($0, uptime: look.mesh.uptimeSeconds) }
    let room = max(0, height - head.count)
    // Half for the ring at least, a quarter for recoveries, and what is left for events.
    let ring = table(width: width, height: max(room / 2, room - story.count - told.count))
    let left = room - ring.count
    let middle = section(
      "recoveries", Array(story.suffix(left / 2)), of: story.count, upTo: left / 2)
    let end = section("events", told, of: told.count, upTo: left - middle.count)
    return (head + ring + middle + end).prefix(height).map { fit($0, width) }
  }

  private func fit(_ line: String, _ width: Int) -> String {
    var line = cell(line, width)
    while line.last == " " { line.removeLast() }
    return line
  }

  private func heading(_ silence: Double?) -> [String] {
    let mesh = look.mesh
    let workers = counts(mesh.workers.map { ($0.standing.name, $0.count) }, none: "none")
    var lines = [
      "attnmesh \(mesh.version)  \(endpoint)  up \(age(mesh.uptimeSeconds))  term \(mesh.term)",
      "workers  \(workers)   jobs  "
        + counts(mesh.jobs.map { ($0.state.name, $0.count) }, none: "none"),
    ]
    if let silence {
      lines[0] = "no answer for \(age(silence)): what follows is old  " + lines[0]
    }
    guard let job = look.job else { return lines + ["no job runs", ""] }
    let summary = job.summary
    lines.append(
      "job \("\(summary.job)".prefix(8)) for \(summary.client) \(summary.state.name) "
        + "\(bar(summary.folded, of: summary.total, width: 24))"
        + " \(percent(summary.folded, of: summary.total))"
        + "  \(summary.folded)/\(summary.total) tiles  \(age(summary.wallSeconds))\(remaining)"
        + (summary.reason.isEmpty ? "" : "  \(summary.reason)"))
    lines.append("protection  \(job.protectionName)")
    return lines + [""]
  }

  /// By the rate of the moment.
  private var remaining: String {
    guard let summary = look.job?.summary, tilesPerSecond > 0 else { return "" }
    return ", about \(age(Double(summary.total - summary.folded) / tilesPerSecond)) left"
  }

  // MARK: The ring

  private func table(width: Int, height: Int) -> [String] {
    guard !rows.isEmpty, height > 0 else { return Array(["no workers"].prefix(height)) }
    let name = min(24, rows.map(\.name.count).max() ?? 0)
    let fixed = "  " + cell("", max(6, name)) + Self.columns
    let bars = min(40, max(6, width - fixed.count - 22))
    let titles =
      "  " + cell("WORKER", max(6, name)) + "  " + cell("STANDING", 8) + "  " + cell("RANKS", 9)
      + "  " + cell("PROGRESS", bars + 5) + Self.titles
    let shown = rows.prefix(rows.count + 1 > height ? max(0, height - 2) : rows.count)
    var lines = [titles]
    for (index, row) in shown.enumerated() {
      let mark = row.vranks.isEmpty ? " " : index == 0 ? "╭" : isLast(index) ? "╰" : "│"
      lines.append(
        "\(mark) " + cell(row.name, max(6, name)) + "  " + cell(row.standing, 8) + "  "
          + cell(row.vranks.map(\.description).joined(separator: ","), 9) + "  "
          + progress(row, bars) + rates(row))
    }
    if shown.count < rows.count { lines.append("  … \(rows.count - shown.count) more workers") }
    return Array(lines.prefix(height))
  }

  private func isLast(_ index: Int) -> Bool {
    rows[(index + 1)...].allSatisfy(\.vranks.isEmpty)
  }

  private static let titles = "  TILES/S       OUT        IN  COMPUTE  WAIT"
  /// As wide as what stands beside the name and the bar.
  private static let columns = "  STANDING  RANKS    " + titles

  private func progress(_ row: Row, _ width: Int) -> String {
    guard !row.vranks.isEmpty else { return cell("", width + 5) }
    let text = percent(row.folded, of: row.needed)
    return bar(row.folded, of: row.needed, width: width) + right(text, 5)
  }

  private func rates(_ row: Row) -> String {
    let total = row.computeShare + row.waitShare
    func share(_ part: Double) -> String { total > 0 ? "\(decimals(100 * part, 0)) %" : "-" }
    return right(decimals(row.tilesPerSecond, 1), 9) + right(rate(row.sentBytesPerSecond), 10)
      + right(rate(row.receivedBytesPerSecond), 10) + right(share(row.computeShare), 9)
      + right(share(row.waitShare), 6)
  }

  private func rate(_ bytesPerSecond: Double) -> String {
    switch bytesPerSecond {
    case ..<1e3: "\(decimals(bytesPerSecond, 0)) B/s"
    case ..<1e6: "\(decimals(bytesPerSecond / 1e3, 1)) kB/s"
    case ..<1e9: "\(decimals(bytesPerSecond / 1e6, 1)) MB/s"
    default: "\(decimals(bytesPerSecond / 1e9, 2)) GB/s"
    }
  }

  private func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  // MARK: What befell it

  private func section(_ title: String, _ lines: [String], of count: Int, upTo room: Int)
    -> [String]
  {
    // A blank line, the title, and one line at least.
    guard room >= 3, !lines.isEmpty else { return [] }
    let shown = lines.suffix(room - 2)
    let hidden = count - shown.count
    return ["", title + (hidden > 0 ? " (\(hidden) earlier ones left out)" : "")] + shown
  }

  private var recoveries: [String] {
    guard let job = look.job else { return [] }
    return job.recoveries.enumerated().map { index, recovery in
      let host = recovery.host.isEmpty ? "nobody yet" : recovery.host
      let source = job.source(ofRecovery: index)
      let from = recovery.restored == nil ? source : "from \(source)"
      let back = recovery.caughtUpSeconds.map { ", back in \(decimals($0, 2)) s" } ?? ""
      return "  at \(age(recovery.atSeconds))  rank \(recovery.vrank): \(recovery.worker) → \(host)"
        + "  \(from)\(back)  (\(recovery.cause))"
    }
  }
}
