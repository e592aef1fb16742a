/// What every benchmark ends with: whether its results were right, and whether goals were met.
package struct Findings: Encodable, Sendable {
  /// Results that were wrong; nothing measured counts if there is one.
  package var wrongResults: [String] = []
  package var goals: [Goal] = []

  package init() {}

  package var isVerified: Bool { wrongResults.isEmpty }

  mutating func expect(_ isRight: Bool, _ failure: @autoclosure () -> String) {
    if !isRight { wrongResults.append(failure()) }
  }
}
