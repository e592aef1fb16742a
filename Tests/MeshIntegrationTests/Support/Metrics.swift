/// Metrics in the Prometheus text format, read strictly: what isn't valid throws.
struct Metrics {
  /// A name and its labels.
  struct Key: Hashable {
    let name: String
    let labels: [String: String]
  }

  private(set) var values: [Key: Double] = [:]
  /// Names by type.
  private(set) var types: [String: String] = [:]

  /// - Parameter labels: all of them.
  func value(_ name: String, _ labels: [String: String] = [:]) throws -> Double {
    guard let value = values[Key(name: name, labels: labels)] else {
      throw HarnessError("no metric \(name) \(labels)")
    }
    return value
  }

  /// Counters by name and labels.
  var counters: [Key: Double] { values.filter { types[$0.key.name] == "counter" } }

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw HarnessError("the last line has no end") }
    var helped: Set<String> = []
    var current = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      if line.hasPrefix("# HELP ") {
        current = String(line.dropFirst(7).prefix { $0 != " " })
        guard Self.isName(current), helped.insert(current).inserted else {
          throw HarnessError("help: \(line)")
        }
      } else if line.hasPrefix("# TYPE ") {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, words[2] == current, types[current] == nil,
          words[3] == "gauge" || words[3] == "counter",
          (words[3] == "counter") == current.hasSuffix("_total")
        else { throw HarnessError("type: \(line)") }
        types[current] = String(words[3])
      } else {
        let (key, value) = try Self.sample(line)
        guard key.name == current, types[current] != nil, values[key] == nil,
          types[current] == "gauge" || value >= 0
        else { throw HarnessError("sample: \(line)") }
        values[key] = value
      }
    }
  }

  /// NAME{LABEL="VALUE",…} NUMBER
  private static func sample(_ line: Substring) throws -> (Key, Double) {
    let name = line.prefix { $0 != "{" && $0 != " " }
    var rest = line.dropFirst(name.count)
    var labels: [String: String] = [:]
    if rest.first == "{" {
      while rest.first == "{" || rest.first == "," {
        rest.removeFirst()
        let label = String(rest.prefix { $0 != "=" })
        rest = rest.dropFirst(label.count)
        guard isName(label), labels[label] == nil, rest.hasPrefix("=\"") else {
          throw HarnessError("label: \(line)")
        }
        rest = rest.dropFirst(2)
        labels[label] = try quoted(&rest)
      }
      guard rest.first == "}" else { throw HarnessError("labels: \(line)") }
      rest.removeFirst()
    }
    let numbers = ["+Inf": Double.infinity, "-Inf": -.infinity, "NaN": .nan]
    guard isName(String(name)), rest.first == " ", case let text = String(rest.dropFirst()),
      let value = numbers[text] ?? (text.allSatisfy(isInNumber) ? Double(text) : nil)
    else { throw HarnessError("sample: \(line)") }
    return (Key(name: String(name), labels: labels), value)
  }

  private static func quoted(_ rest: inout Substring) throws -> String {
    var value = ""
    while let character = rest.popFirst() {
      switch character {
      case "\"": return value
      case "\\":
        switch rest.popFirst() {
        case "\\": value += "\\"
        case "\"": value += "\""
        case "n": value += "\n"
        default: throw HarnessError("escape: \(rest)")
        }
      default: value.append(character)
      }
    }
    throw HarnessError("a label value has no end")
  }

  private static func isName(_ text: String) -> Bool {
    guard let first = text.first, !first.isNumber else { return false }
    return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
  }

  private static func isInNumber(_ character: Character) -> Bool {
    character.isASCII && (character.isNumber || "+-.e".contains(character))
  }
}
