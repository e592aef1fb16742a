internal import Glibc
internal import MeshCore
internal import MeshRuntime

/// Lengths of documents: on the command line, or in a text of numbers between commas, blanks or line
/// ends, that is a file or comes from standard input.
struct Lengths {
  let values: [Int]

  /// Of the longest text: more documents than a job may have have fewer digits.
  private static let bytesMaximum = 1 << 20
  private static let standardInput = "-"

  /// - Parameters:
  ///   - flag: which they were given with.
  ///   - waiting: told when nothing comes from standard input.
  init(_ text: String, flag: String, waiting: (String) -> Void) throws(MeshError) {
    func refusal(_ reason: String) -> MeshError {
      MeshError(.badInput, "\(flag) \(printable(text)): \(reason)")
    }
    let words: [Substring]
    if text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ",") }) {
      // Between two commas of a command line something was forgotten; a file may end its lines with them.
      words = text.split(separator: ",", omittingEmptySubsequences: false)
      if words.count > 1, words.contains("") {
        throw refusal("a length is missing beside a comma; give numbers of tokens, as 100,200,50")
      }
    } else {
      let separators: Set<Character> = [",", " ", "\t", "\n", "\r", "\r\n"]
      do throws(Unreadable) {
        words = try Self.contents(of: text, waiting).split { separators.contains($0) }
      } catch {
        throw refusal(error.reason)
      }
    }
    var values: [Int] = []
    for word in words where !word.isEmpty {
      guard let value = Int(word), value >= 0 else {
        throw refusal(
          "'\(printable(String(word.prefix(32))))' is no length; give numbers of tokens, as"
            + " 100,200,50")
      }
      values.append(value)
    }
    guard !values.isEmpty else { throw refusal("there are no lengths in it") }
    self.values = values
  }

  private struct Unreadable: Error {
    let reason: String
  }

  private static func contents(
    of path: String, _ waiting: (String) -> Void
  ) throws(Unreadable) -> String {
    if path == standardInput { return try text(STDIN_FILENO, waiting) }
    // Whatever isn't a file may keep whoever opens it waiting.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      throw Unreadable(reason: "neither lengths, as 100,200,50, nor a file to read")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no regular file"
      throw Unreadable(
        reason: "it is \(kind); give lengths, as 100,200,50, a text file of them, or - for standard"
          + " input")
    }
    return try text(file, waiting)
  }

  private static func text(
    _ descriptor: Int32, _ waiting: (String) -> Void
  ) throws(Unreadable) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= bytesMaximum {
      wait(descriptor, waiting)
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 { bytes += buffer[..<count] }
      if count == 0 { break }
      if count < 0, errno != EINTR, errno != EAGAIN {
        throw Unreadable(reason: "reading failed: \(String(cString: strerror(errno)))")
      }
    }
    guard bytes.count <= bytesMaximum, let text = String(validating: bytes, as: UTF8.self) else {
      throw Unreadable(reason: "it is no text of lengths of at most \(bytesMaximum) bytes")
    }
    return text
  }

  /// Whoever fills a pipe may take as long as it likes; who waits for it says so. There is no wait for
  /// what is a file.
  private static func wait(_ descriptor: Int32, _ waiting: (String) -> Void) {
    var place = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var patience: Int32 = 2_000
    while true {
      let count = poll(&place, 1, patience)
      if count > 0 || (count < 0 && errno != EINTR) { return }
      guard count == 0 else { continue }
      waiting("waiting for lengths from standard input: nothing comes")
      patience = 10_000
    }
  }
}
