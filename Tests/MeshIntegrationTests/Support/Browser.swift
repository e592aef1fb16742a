import Foundation
import Glibc

/// Headless Chromium with one page, told what to do over two pipes by the DevTools protocol: messages
/// of JSON that end with a zero.
final class Browser {
  private let process: pid_t
  private let input: Int32
  private let output: Int32
  private var bytes: [UInt8] = []
  private var nextMessage = 1
  private var session: String?
  /// What the page complained of: exceptions, and what its policy refused.
  private(set) var complaints: [String] = []

  /// Where it is installed; nil if it isn't.
  static var path: String? {
    if let named = getenv("ATTNMESH_BROWSER") { return String(cString: named) }
    return ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
      .first { access($0, X_OK) == 0 }
  }

  init(_ path: String, _ scratch: Scratch, width: Int, height: Int) throws {
    (process, input, output) = try Self.start(path, scratch)
    let targets = try call("Target.getTargets")["targetInfos"] as? [[String: Any]] ?? []
    guard let page = targets.first(where: { $0["type"] as? String == "page" })?["targetId"],
      let session = try call("Target.attachToTarget", ["targetId": page, "flatten": true])[
        "sessionId"] as? String
    else { throw HarnessError("the browser has no page") }
    self.session = session
    for domain in ["Runtime", "Log", "Page"] { try call("\(domain).enable") }
    try call(
      "Emulation.setDeviceMetricsOverride",
      ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": false])
  }

  deinit {
    kill(process, SIGKILL)
    waitpid(process, nil, 0)
    close(input)
    close(output)
  }

  /// Starts it with pipes as its descriptors 3 and 4. Its environment marks it as the test's own.
  private static func start(_ path: String, _ scratch: Scratch) throws -> (pid_t, Int32, Int32) {
    var commands: [Int32] = [0, 0]
    var answers: [Int32] = [0, 0]
    guard pipe(&commands) == 0, pipe(&answers) == 0 else { throw HarnessError("pipe: \(errno)") }
    // Out of the way of 3 and 4.
    let ends = (commands + answers).map { end in
      defer { close(end) }
      return fcntl(end, F_DUPFD_CLOEXEC, 64)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 3)
    posix_spawn_file_actions_adddup2(&actions, ends[3], 4)
    for descriptor in [Int32(0), 1, 2] {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    let flags = [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--hide-scrollbars", "--disable-background-networking", "--remote-debugging-pipe",
      "--user-data-dir=\(scratch.file("browser"))", "about:blank",
    ]
    let environment = [
      "TMPDIR=\(scratch.temporary)", "HOME=\(scratch.path)", "PATH=/usr/bin:/bin",
    ]
    var words = ([path] + flags).map { strdup($0) } + [nil]
    var variables = environment.map { strdup($0) } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    var process = pid_t()
    let status = posix_spawn(&process, path, &actions, nil, &words, &variables)
    close(ends[0])
    close(ends[3])
    guard status == 0 else { throw HarnessError("\(path): \(String(cString: strerror(status)))") }
    return (process, ends[1], ends[2])
  }

  func open(_ url: String) throws { try call("Page.navigate", ["url": url]) }

  /// The value of an expression in the page.
  func value(_ expression: String) throws -> Any? {
    let answer = try call(
      "Runtime.evaluate", ["expression": expression, "returnByValue": true])
    if let problem = answer["exceptionDetails"] { throw HarnessError("\(expression): \(problem)") }
    return (answer["result"] as? [String: Any])?["value"]
  }

  /// Text of the elements that a CSS selector finds.
  func texts(_ selector: String) throws -> [String] {
    let found = try value(
      "[...document.querySelectorAll('\(selector)')].map((node) => node.textContent)")
    return found as? [String] ?? []
  }

  /// Shows the page as on a dark desktop.
  func preferDark() throws {
    let feature = ["name": "prefers-color-scheme", "value": "dark"]
    try call("Emulation.setEmulatedMedia", ["features": [feature]])
  }

  /// A PNG of what is seen.
  func screenshot() throws -> [UInt8] {
    let answer = try call("Page.captureScreenshot", ["format": "png"])
    guard let text = answer["data"] as? String, let data = Data(base64Encoded: text) else {
      throw HarnessError("no screenshot")
    }
    return [UInt8](data)
  }

  @discardableResult
  private func call(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
    let number = nextMessage
    nextMessage += 1
    var message: [String: Any] = ["id": number, "method": method, "params": parameters]
    message["sessionId"] = session
    let data = [UInt8](try JSONSerialization.data(withJSONObject: message)) + [0]
    guard data.withUnsafeBytes({ write(input, $0.baseAddress, $0.count) }) == data.count else {
      throw HarnessError("the browser has gone")
    }
    while true {
      let answer = try receive()
      if answer["id"] as? Int == number {
        guard let result = answer["result"] as? [String: Any] else {
          throw HarnessError("\(method): \(answer)")
        }
        return result
      }
      if ["Runtime.exceptionThrown", "Log.entryAdded"].contains(answer["method"] as? String) {
        complaints.append("\(answer["params"] ?? "")")
      }
    }
  }

  private func receive() throws -> [String: Any] {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      if let end = bytes.firstIndex(of: 0) {
        defer { bytes.removeSubrange(...end) }
        return try jsonObject(String(decoding: bytes[..<end], as: UTF8.self))
      }
      var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, Int32(Program.watchdogSeconds) * 1_000) == 1 else {
        throw HarnessError("the browser doesn't answer")
      }
      let count = read(output, &buffer, buffer.count)
      guard count > 0 else { throw HarnessError("the browser has gone") }
      bytes += buffer[..<count]
    }
  }
}
