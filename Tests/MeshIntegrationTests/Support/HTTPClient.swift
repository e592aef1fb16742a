import Glibc

/// What an HTTP server answered.
struct HTTPAnswer {
  let status: Int
  /// By lower-case name.
  let headers: [String: String]
  let body: String
}

/// Asks servers on loopback by hand, so that it can ask what no library would.
struct HTTPClient {
  let port: Int

  /// The server of a program that says where it serves.
  init(_ program: Program) throws {
    let text = try eventually("the address of the page") { () -> Substring? in
      guard program.isRunning else { throw HarnessError(program.errors) }
      let line = program.errorLines.first { $0.contains(" at http://127.0.0.1:") }
      return line?.split(separator: ":").last?.prefix { $0.isNumber }
    }
    guard let port = Int(text) else { throw HarnessError("no port: \(program.errors)") }
    self.port = port
  }

  /// One request of its own connection.
  func get(_ path: String, method: String = "GET", host: String = "127.0.0.1") throws -> HTTPAnswer
  {
    try send("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
  }

  /// Sends bytes, whatever they are, and reads until the server closes.
  func send(_ request: String) throws -> HTTPAnswer {
    let connection = try connect()
    defer { close(connection) }
    // A server that refuses needn't read all of it.
    write(request, to: connection)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = recv(connection, &buffer, buffer.count, 0), count > 0 {
      bytes += buffer[..<count]
    }
    return try answer(String(decoding: bytes, as: UTF8.self))
  }

  /// A connection on which nothing has been sent.
  func connect() throws -> Int32 {
    let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(
      connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else {
      close(connection)
      throw HarnessError("port \(port): \(String(cString: strerror(errno)))")
    }
    return connection
  }

  func write(_ text: String, to connection: Int32) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  private func answer(_ text: String) throws -> HTTPAnswer {
    guard let end = text.firstRange(of: "\r\n\r\n") else {
      throw HarnessError("no answer but \(text.debugDescription)")
    }
    var lines = text[..<end.lowerBound].split(separator: "\r\n")[...]
    let words = lines.removeFirst().split(separator: " ")
    guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
      throw HarnessError("no status: \(text.debugDescription)")
    }
    var headers: [String: String] = [:]
    for line in lines {
      guard let colon = line.firstIndex(of: ":") else { throw HarnessError("header \(line)") }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      headers[line[..<colon].lowercased()] = String(value)
    }
    return HTTPAnswer(
      status: status, headers: headers, body: String(text[end.upperBound...]))
  }
}
