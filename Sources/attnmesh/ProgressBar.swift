internal import Foundation

/// Progress on standard error: one line a rank, redrawn in place. Shown on a terminal only.
final class ProgressBar {
  /// One line of it.
  struct Rank {
    var name: String
    var done: Int
    var total: Int
  }

  private let isShown: Bool
  private var lines = 0
  private var lastDrawn = Date.distantPast

  init(isShown: Bool) { self.isShown = isShown && isatty(STDERR_FILENO) == 1 }

  /// Redraws, at most ten times a second.
  func show(_ ranks: [Rank], heading: String? = nil) {
    guard isShown, Date.now.timeIntervalSince(lastDrawn) > 0.1 else { return }
    lastDrawn = .now
    var text = lines > 0 ? "\u{1B}[\(lines)A" : ""
    let shown = ranks.prefix(24)
    let width = shown.map(\.name.count).max() ?? 0
    if let heading { text += "\u{1B}[2K\(heading)\n" }
    for rank in shown {
      let filled = rank.total == 0 ? 40 : 40 * rank.done / rank.total
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 40 - filled)
      let name = rank.name.padding(toLength: width, withPad: " ", startingAt: 0)
      text += "\u{1B}[2K\(name) \(bar) \(rank.done)/\(rank.total) tiles\n"
    }
    if ranks.count > shown.count { text += "\u{1B}[2K… \(ranks.count - shown.count) more\n" }
    lines = shown.count + (heading == nil ? 0 : 1) + (ranks.count > shown.count ? 1 : 0)
    FileHandle.standardError.write(Data(text.utf8))
  }

  /// One line that stays.
  func tell(_ text: String) {
    clear()
    Attnmesh.complain(text)
  }

  /// Takes the lines away again.
  func clear() {
    guard isShown, lines > 0 else { return }
    FileHandle.standardError.write(Data("\u{1B}[\(lines)A\u{1B}[0J".utf8))
    lines = 0
  }
}
