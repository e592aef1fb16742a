internal import FlyingFox
internal import Foundation

/// What is served: an answer for each path, made from what a loop has published. Read only.
package struct Site: Sendable {
  private let pages: [String: @Sendable () -> HTTPResponse]

  init(_ pages: [String: @Sendable () -> HTTPResponse]) { self.pages = pages }

  func answer(_ head: RequestHead) -> HTTPResponse {
    guard let page = pages[head.path] else {
      return .text("there is no \(head.path) here; try /\n", .notFound)
    }
    return page()
  }
}

extension HTTPResponse {
  /// One line or more of plain text.
  static func text(_ text: String, _ status: HTTPStatusCode = .ok) -> HTTPResponse {
    HTTPResponse(
      statusCode: status, headers: [.contentType: "text/plain; charset=utf-8"],
      body: Data(text.utf8))
  }

  /// The version of the format is part of its type.
  static func metrics(_ text: String) -> HTTPResponse {
    HTTPResponse(
      statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
      body: Data(text.utf8))
  }

  static func json(_ value: some Encodable) -> HTTPResponse {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let body = try? encoder.encode(value) else {
      preconditionFailure("not encodable: \(type(of: value))")
    }
    return HTTPResponse(
      statusCode: .ok, headers: [.contentType: "application/json; charset=utf-8"], body: body)
  }

  /// 200 when nothing is wrong, otherwise 503 with the reason.
  static func health(_ problem: String?) -> HTTPResponse {
    problem.map { .text($0 + "\n", .serviceUnavailable) } ?? .text("ok\n")
  }
}
