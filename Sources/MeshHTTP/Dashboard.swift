internal import Checksums
internal import FlyingFox
internal import Foundation

/// The live page: one document without anything from elsewhere. Its style and script are told to the
/// browser by their digests, so that nothing else is ever run.
enum Dashboard {
  static let response = HTTPResponse(
    statusCode: .ok,
    headers: [
      .contentType: "text/html; charset=utf-8",
      HTTPHeader("Content-Security-Policy"): policy,
      HTTPHeader("X-Frame-Options"): "DENY",
    ], body: Data(document.utf8))

  static let document = """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>attnmesh</title>
    <link rel="icon" href="data:,">
    <style>\(style)</style>
    </head>
    <body>
    \(content)
    <script>\(script)</script>
    </body>
    </html>

    """

  private static let script = scriptOfRing + scriptOfTables + scriptOfPage

  private static let policy =
    "default-src 'none'; connect-src 'self'; img-src data:; style-src '\(digest(style))';"
    + " script-src '\(digest(script))'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

  private static func digest(_ text: String) -> String {
    "sha256-\(Data(SHA256.hash(Array(text.utf8)).bytes).base64EncodedString())"
  }
}
