internal import Foundation
internal import MeshCore

/// What this process and its machine are called where nobody says.
package enum OwnName {
  /// The machine's name, as long as a name may be.
  package static func machine(_ hostName: String = ProcessInfo.processInfo.hostName) -> String {
    cut(hostName, to: Limits.nameBytesMaximum)
  }

  /// The machine's name, cut where it is long, the process id, and something random: containers may have
  /// one name, and all be process 1.
  package static func worker(
    _ hostName: String = ProcessInfo.processInfo.hostName,
    processID: Int = Int(ProcessInfo.processInfo.processIdentifier),
    random: UInt16 = .random(in: .min ... .max)
  ) -> String {
    let digits = String(random, radix: 16)
    let tail = "-\(processID)-" + String(repeating: "0", count: 4 - digits.count) + digits
    return cut(hostName, to: Limits.nameBytesMaximum - tail.utf8.count) + tail
  }

  /// Whole characters, none of which moves a terminal's cursor.
  private static func cut(_ name: String, to bytes: Int) -> String {
    var cut = ""
    for character in printable(name) {
      guard cut.utf8.count + character.utf8.count <= bytes else { break }
      cut.append(character)
    }
    return cut.isEmpty ? "host" : cut
  }
}
