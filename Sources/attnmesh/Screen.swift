internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import ZeroMQ

/// A terminal that is drawn on, whole: its other screen, without a cursor, and keys at once. Standard
/// output and input.
final class Screen {
  private var before = termios()
  private var isRestored = false

  init() throws(MeshError) {
    guard tcgetattr(STDIN_FILENO, &before) == 0 else {
      throw MeshError(.badInput, "standard input is no terminal: use --once or --json")
    }
    var raw = before
    // Signals go on as they were: Ctrl-C is one.
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
    tcsetattr(STDIN_FILENO, TCSANOW, &raw)
    write("\u{1B}[?1049h\u{1B}[?25l")
  }

  /// Columns and rows, as they are now.
  var size: (width: Int, height: Int) {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0
    else {
      return (80, 24)
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Draws over what is there, so that nothing flickers.
  func draw(_ lines: [String]) {
    let text = lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n")
    write("\u{1B}[H" + text + "\u{1B}[J")
  }

  /// Waits so long, and gives the last key that was hit meanwhile. A signal cuts it short.
  func key(within seconds: Double) -> UInt8? {
    let end = MonotonicClock.now.seconds + seconds
    var key: UInt8?
    while key != UInt8(ascii: "q") {
      let left = end - MonotonicClock.now.seconds
      guard left > 0 else { break }
      var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      guard poll(&descriptor, 1, Int32(left * 1_000) + 1) > 0 else { break }
      var byte: UInt8 = 0
      guard read(STDIN_FILENO, &byte, 1) == 1 else {
        // The terminal is gone: time passes all the same.
        usleep(UInt32(left * 1e6))
        break
      }
      key = byte
    }
    return key
  }

  /// Gives the terminal back as it was.
  func restore() {
    guard !isRestored else { return }
    isRestored = true
    write("\u{1B}[?25h\u{1B}[?1049l")
    tcsetattr(STDIN_FILENO, TCSANOW, &before)
  }

  deinit { restore() }

  private func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}
