internal import Foundation
internal import MeshView

/// Progress on standard error: on a terminal one line a rank, redrawn in place; elsewhere a line now and
/// then, which stays.
final class ProgressBar {
  /// One line of it.
  struct Rank {
    var name: String
    var done: Int
    var total: Int
  }

  /// Whether there is a terminal to draw on, or a log to write lines to; neither where it isn't wanted.
  private let isShown: Bool
  private let isTold: Bool
  private var lines = 0
  private var lastDrawn = Date.distantPast
  private var pace = Pace()
  private var milestones = Milestones()

  init(isShown: Bool) {
    let isTerminal = isatty(STDERR_FILENO) == 1
    (self.isShown, isTold) = (isShown && isTerminal, isShown && !isTerminal)
  }

  /// Redraws, at most ten times a second, and says how long the rest will take.
  ///
  /// - Parameter of: what is done of all, where the ranks don't tell.
  func show(_ ranks: [Rank], heading: String? = nil, of whole: (done: Int, total: Int)? = nil) {
    guard isShown || isTold, Date.now.timeIntervalSince(lastDrawn) > 0.1 else { return }
    lastDrawn = .now
    let whole =
      whole ?? (ranks.reduce(0) { $0 + $1.done }, ranks.reduce(0) { $0 + $1.total })
    let now = ProcessInfo.processInfo.systemUptime
    let rest = pace.remaining(done: whole.done, total: whole.total, at: now)
    let left = rest.map { "about \(age($0.rounded())) left" }
    guard isShown else {
      if let percent = milestones.percent(done: whole.done, total: whole.total, at: now) {
        let parts = [heading, "\(percent) % done", left].compactMap { $0 }
        Attnmesh.complain(parts.joined(separator: "; "))
      }
      return
    }
    var text = lines > 0 ? "\u{1B}[\(lines)A" : ""
    let shown = ranks.prefix(24)
    let width = shown.map(\.name.count).max() ?? 0
    let top = [heading, left].compactMap { $0 }.joined(separator: "; ")
    // Its place is kept, so that what is below doesn't jump.
    let hasTop = heading != nil || !ranks.isEmpty
    if hasTop { text += "\u{1B}[2K\(top)\n" }
    for rank in shown {
      let filled = rank.total == 0 ? 40 : 40 * rank.done / rank.total
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 40 - filled)
      let name = rank.name.padding(toLength: width, withPad: " ", startingAt: 0)
      text += "\u{1B}[2K\(name) \(bar) \(rank.done)/\(rank.total) tiles\n"
    }
    if ranks.count > shown.count { text += "\u{1B}[2K… \(ranks.count - shown.count) more\n" }
    lines = shown.count + (hasTop ? 1 : 0) + (ranks.count > shown.count ? 1 : 0)
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
