internal import FlyingFox

/// The request line and the headers that matter. All of it is hostile.
struct RequestHead: Sendable, Equatable {
  let method: HTTPMethod
  /// Without the query.
  let path: String
  let isKeptAlive: Bool

  /// Why a request isn't answered.
  struct Refusal: Error {
    let status: HTTPStatusCode
    init(_ status: HTTPStatusCode) { self.status = status }
  }

  /// - Parameters:
  ///   - bytes: up to the empty line, without it.
  ///   - onlyLocal: take only requests to a name of this machine: a page from elsewhere whose name was
  ///     rebound to loopback must not read what is here.
  init(_ bytes: some Collection<UInt8>, onlyLocal: Bool) throws(Refusal) {
    guard bytes.allSatisfy({ $0 == 13 || $0 == 10 || $0 == 9 || $0 >= 32 && $0 != 127 }) else {
      throw Refusal(.badRequest)
    }
    var lines = String(decoding: bytes, as: UTF8.self)
      .split(omittingEmptySubsequences: false) { $0 == "\r\n" || $0 == "\n" }[...]
    let words = lines.removeFirst().split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, !words[0].isEmpty, words[1].first == "/" else {
      throw Refusal(.badRequest)
    }
    guard words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else {
      throw Refusal(words[2].hasPrefix("HTTP/") ? .httpVersionNotSupported : .badRequest)
    }
    method = HTTPMethod(rawValue: String(words[0]))
    guard words[0] == "GET" || words[0] == "HEAD" else { throw Refusal(.methodNotAllowed) }
    path = String(words[1].prefix { $0 != "?" })

    var host: Substring?
    var isKeptAlive = words[2] == "HTTP/1.1"
    for line in lines {
      guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else {
        throw Refusal(.badRequest)
      }
      let name = line[..<colon].lowercased()
      let value = line[line.index(after: colon)...].trimmed
      switch name {
      case "host":
        guard host == nil else { throw Refusal(.badRequest) }
        host = value
      case "connection":
        if value.lowercased() == "close" { isKeptAlive = false }
      case "content-length":
        guard value == "0" else { throw Refusal(.payloadTooLarge) }
      case "transfer-encoding", "upgrade": throw Refusal(.badRequest)
      default: break
      }
    }
    self.isKeptAlive = isKeptAlive
    if host == nil, words[2] == "HTTP/1.1" { throw Refusal(.badRequest) }
    if onlyLocal, let host, !Self.isLocal(host) { throw Refusal(.misdirectedRequest) }
  }

  /// Whether a Host header names this machine.
  static func isLocal(_ host: Substring) -> Bool {
    if host.hasPrefix("[::1]") { return isPort(host.dropFirst(5)) }
    let name = host.prefix { $0 != ":" }
    guard isPort(host.dropFirst(name.count)) else { return false }
    if name.lowercased() == "localhost" { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
      && parts.allSatisfy { $0.allSatisfy(\.isASCII) && UInt8($0) != nil }
  }

  private static func isPort(_ text: Substring) -> Bool {
    text.isEmpty || text.first == ":" && UInt16(text.dropFirst()) != nil
  }
}

extension Substring {
  /// Without white space around it.
  fileprivate var trimmed: Substring {
    var text = self
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
