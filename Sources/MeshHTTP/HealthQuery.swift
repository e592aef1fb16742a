internal import FlyingSocks
internal import Foundation
internal import MeshCore
package import MeshRuntime

/// Asks /healthz of a coordinator or worker, as a container's health check does.
package enum HealthQuery {
  /// - Returns: whether it is healthy, and its own word on it.
  package static func ask(
    _ address: HTTPAddress
  ) throws(MeshError) -> (isHealthy: Bool, text: String) {
    let answer: [UInt8]
    do {
      answer = try exchange(address.local)
    } catch {
      throw MeshError(
        .unreachable,
        "nobody answers at http://\(address.local)/healthz: \(reason(error)); is"
          + " --http on there?")
    }
    let text = String(decoding: answer, as: UTF8.self)
    let words = text.prefix { !$0.isNewline }.split(separator: " ")
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]),
      let end = answer.endOfHead
    else {
      throw MeshError(.unreachable, "what answers at \(address.local) doesn't speak HTTP")
    }
    let body = String(decoding: answer[end.upperBound...], as: UTF8.self)
    let line = body.prefix { !$0.isNewline }.filter { !$0.isNewline }
    return (status == 200, line.isEmpty ? "status \(status)" : String(line.prefix(500)))
  }

  private static func exchange(_ address: HTTPAddress) throws -> [UInt8] {
    let family = try address.family
    let socket = try Socket(domain: Int32(family.family))
    defer { try? socket.close() }
    // Also the limit of connect.
    var limit = timeval(tv_sec: Int(Limits.httpTimeout.components.seconds), tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(
        socket.file.rawValue, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    try socket.connect(to: family)
    let request = "GET /healthz HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
    _ = try socket.write(Data(request.utf8))
    var answer: [UInt8] = []
    let end = StatusBoard<Never>.now + Limits.httpTimeout
    while answer.count < Limits.httpHeadBytesMaximum, StatusBoard<Never>.now < end {
      guard let bytes = try? socket.read(atMost: 4_096), !bytes.isEmpty else { break }
      answer += bytes
    }
    guard !answer.isEmpty else { throw SocketError.timeout(message: "no answer in time") }
    return answer
  }
}

/// What went wrong with a socket, for a person.
func reason(_ error: any Error) -> String {
  switch error as? SocketError {
  case .failed(_, let number, _): String(cString: strerror(number))
  case .timeout, .blocked, .disconnected: "no answer in time"
  default: error.localizedDescription
  }
}
