internal import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import MeshCore

/// One client's connection: reads a bounded head, writes an answer, again and again. Every step has a
/// time limit.
struct HTTPConnection: Sendable {
  let socket: AsyncSocket
  let site: Site
  let onlyLocal: Bool

  /// Until the client goes, is too slow, or asks for something that isn't answered.
  ///
  /// - Parameter noteRequest: called for each request.
  func serve(_ noteRequest: () -> Void) async {
    var rest: [UInt8] = []
    while true {
      do {
        let isFirst = rest.isEmpty
        rest = try await head(rest, within: isFirst ? Limits.httpIdleTimeout : Limits.httpTimeout)
        guard let end = rest.endOfHead else { return }
        let head = try RequestHead(rest[..<end.lowerBound], onlyLocal: onlyLocal)
        rest.removeFirst(end.upperBound)
        noteRequest()
        let response = site.answer(head)
        try await send(response, to: head)
        guard head.isKeptAlive else { return await close(draining: 0) }
      } catch let refusal as RequestHead.Refusal {
        var response = HTTPResponse.text(
          "\(refusal.status.code) \(refusal.status.phrase)\n", refusal.status)
        if refusal.status == .methodNotAllowed {
          response.headers[HTTPHeader("Allow")] = "GET, HEAD"
        }
        try? await send(response, to: nil)
        return await close(draining: Limits.httpDrainBytesMaximum)
      } catch {
        return
      }
    }
  }

  /// Reads until a head is whole.
  ///
  /// - Parameter start: what was read beyond the head before.
  /// - Returns: the head and what follows it; less when the client has gone.
  private func head(_ start: [UInt8], within limit: Duration) async throws -> [UInt8] {
    if start.endOfHead != nil { return start }
    return try await finish(within: limit) {
      var bytes = start
      while bytes.endOfHead == nil {
        guard bytes.count < Limits.httpHeadBytesMaximum else {
          throw RequestHead.Refusal(.requestHeaderFieldsTooLarge)
        }
        let room = Limits.httpHeadBytesMaximum - bytes.count
        bytes += try await socket.read(atMost: min(room, 4_096))
      }
      return bytes
    }
  }

  /// - Parameter head: nil when the request was refused.
  private func send(_ response: HTTPResponse, to head: RequestHead?) async throws {
    let body = try await response.bodyData
    var lines = "HTTP/1.1 \(response.statusCode.code) \(response.statusCode.phrase)\r\n"
    for (header, value) in response.headers { lines += "\(header.rawValue): \(value)\r\n" }
    lines += "Content-Length: \(body.count)\r\n"
    lines += "Connection: \(head?.isKeptAlive == true ? "keep-alive" : "close")\r\n"
    lines += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    lines += "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\r\n"
    let data = Data(lines.utf8) + (head?.method == .HEAD ? Data() : body)
    try await finish(within: Limits.httpTimeout) { try await socket.write(data) }
  }

  /// Ends the sending half first, and reads a little of what the client still sends: a connection that
  /// is closed over unread bytes is reset, and the answer may be lost with it.
  private func close(draining limit: Int) async {
    shutdown(socket.socket.file.rawValue, Int32(SHUT_WR))
    _ = try? await finish(within: .seconds(1)) {
      var left = limit
      while left > 0 { left -= try await socket.read(atMost: 4_096).count }
    }
  }
}

/// Does something that is given up when it isn't done in time.
func finish<Value: Sendable>(
  within limit: Duration, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  try await withThrowingTaskGroup(of: Value.self) { group in
    group.addTask { try await work() }
    group.addTask {
      try await Task.sleep(for: limit)
      throw CancellationError()
    }
    defer { group.cancelAll() }
    guard let value = try await group.next() else { throw CancellationError() }
    return value
  }
}

extension [UInt8] {
  /// The empty line behind the headers, line ends included.
  var endOfHead: Range<Int>? {
    let (feed, carriage) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var start = 0
    while let end = self[start...].firstIndex(of: feed) {
      let next = end + 1
      let begin = end > 0 && self[end - 1] == carriage ? end - 1 : end
      if next < count, self[next] == feed { return begin..<next + 1 }
      if next + 1 < count, self[next] == carriage, self[next + 1] == feed {
        return begin..<next + 2
      }
      start = next
    }
    return nil
  }
}
