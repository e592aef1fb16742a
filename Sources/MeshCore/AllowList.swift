/// Who may use a mesh: public keys with the role and the name of each. A line of its text is
///
///     ROLE NAME PUBLICKEY [not-after=YYYY-MM-DD]
///
/// with ROLE one of worker, client, operator, viewer; `#` at its beginning makes a line a comment.
package struct AllowList: Sendable, Hashable {
  /// A peer that is known.
  package struct Entry: Sendable, Hashable {
    package let role: Role
    /// What it is called in logs, and whose jobs a client's are. Several keys may have one name: a
    /// new key beside the old one is how keys are changed.
    package let name: String
    package let key: PublicKey
    /// The last day on which the key is good, "YYYY-MM-DD" in UTC.
    package let notAfter: String?

    package init(role: Role, name: String, key: PublicKey, notAfter: String? = nil) {
      self.role = role
      self.name = name
      self.key = key
      self.notAfter = notAfter
    }

    /// The line of the list that says this.
    package var line: String {
      "\(role) \(name) \(key)" + (notAfter.map { " not-after=\($0)" } ?? "")
    }
  }

  /// What is wrong with a text.
  package struct Problem: Error, CustomStringConvertible {
    package let line: Int
    package let reason: String

    package var description: String { "line \(line): \(reason)" }
  }

  private let entries: [PublicKey: Entry]

  package init(_ entries: [Entry] = []) {
    self.entries = Dictionary(entries.map { ($0.key, $0) }) { first, _ in first }
  }

  package init(parsing text: String) throws(Problem) {
    var found: [PublicKey: Entry] = [:]
    for (index, line) in lines(ofFile: text).enumerated() {
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard let first = fields.first, !first.hasPrefix("#") else { continue }
      func problem(_ reason: String) -> Problem { Problem(line: index + 1, reason: reason) }
      let entry = try Entry(fields, problem)
      guard found[entry.key] == nil else { throw problem("the key is there twice") }
      guard found.count < Limits.keysMaximum else {
        throw problem("more than \(Limits.keysMaximum) keys")
      }
      found[entry.key] = entry
    }
    entries = found
  }

  /// Who has a key, if it is good on a day ("YYYY-MM-DD" in UTC).
  package func entry(for key: PublicKey, on day: String) -> Entry? {
    guard let entry = entries[key], entry.notAfter.map({ day <= $0 }) ?? true else { return nil }
    return entry
  }

  package var count: Int { entries.count }
}

extension AllowList.Entry {
  fileprivate init(
    _ fields: [Substring], _ problem: (String) -> AllowList.Problem
  ) throws(AllowList.Problem) {
    guard fields.count == 3 || fields.count == 4 else {
      throw problem("it is ROLE NAME PUBLICKEY [not-after=YYYY-MM-DD]")
    }
    guard let role = Role.allCases.first(where: { "\($0)" == fields[0] }) else {
      let advice =
        fields[0] == "coordinator" ? "; a coordinator's key is for --coordinator-key of others" : ""
      throw problem("\(fields[0]) is no role: \(Role.names)\(advice)")
    }
    guard PeerName.isValid(String(fields[1])) else { throw problem(PeerName.rule) }
    guard let key = PublicKey(String(fields[2])) else {
      throw problem("\(fields[2]) is no public key; `attnmesh keygen` makes one")
    }
    var day: String?
    if fields.count == 4 {
      guard fields[3].hasPrefix("not-after="), CalendarDay.isValid(fields[3].dropFirst(10)) else {
        throw problem("\(fields[3]): it is not-after=YYYY-MM-DD")
      }
      day = String(fields[3].dropFirst(10))
    }
    self.init(role: role, name: String(fields[1]), key: key, notAfter: day)
  }
}

/// What a key's owner may be called.
package enum PeerName {
  package static let rule =
    "a name has 1 to \(Limits.nameBytesMaximum) letters, digits, dots, dashes, underscores or @"

  package static func isValid(_ name: String) -> Bool {
    (1...Limits.nameBytesMaximum).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
          UInt8(ascii: "_"), UInt8(ascii: "@"):
          true
        default: false
        }
      }
  }
}

/// "YYYY-MM-DD": days in this form are in order as text.
enum CalendarDay {
  static func isValid(_ text: Substring) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [4, 2, 2],
      text.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || (48...57).contains($0) }),
      let month = Int(parts[1]), let day = Int(parts[2])
    else { return false }
    return (1...12).contains(month) && (1...31).contains(day)
  }
}

extension Role {
  /// All of them, for messages.
  package static var names: String { allCases.map { "\($0)" }.joined(separator: ", ") }
}
