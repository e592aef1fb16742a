internal import Foundation

/// The words of a command line, before the argument parser sees them.
struct CommandLineArguments {
  let words: [String]

  /// Words before a "--", after which none is an option.
  private var options: ArraySlice<String> { words.prefix { $0 != "--" } }

  /// Whether the command was asked for JSON: its errors are JSON, too.
  var wantsJSON: Bool { options.contains("--json") }

  /// Whether it is a service whose log is JSON: it says nothing else.
  var wantsJSONLog: Bool {
    guard let command = words.first, ["coordinator", "worker"].contains(command) else {
      return false
    }
    var format = environment("ATTNMESH_LOG_FORMAT")
    for (index, word) in options.enumerated() {
      if word == "--log-format", index + 1 < options.count { format = options[index + 1] }
      if word.hasPrefix("--log-format=") { format = String(word.dropFirst(13)) }
    }
    return format == "json"
  }

  /// What `--alibi` alone means.
  static let standardSlopes = "standard"

  /// The same as the parser wants it. Every negative number is joined to the option before it, as
  /// --scale=-1: the parser takes what begins with a dash for another option, and no option here begins
  /// with a digit. And `--alibi` without a value has one.
  var completed: [String] {
    let joined = withJoinedNumbers
    return joined.enumerated().map { index, word in
      let hasValue = index + 1 < joined.count && !joined[index + 1].hasPrefix("--")
      return word == "--alibi" && !hasValue ? "--alibi=\(Self.standardSlopes)" : word
    }
  }

  private var withJoinedNumbers: [String] {
    var joined: [String] = []
    for (index, word) in words.enumerated() {
      let isOption =
        options.indices.contains(index)
        && joined.last.map { $0.hasPrefix("--") && $0.count > 2 } == true
        && joined.last?.contains("=") == false
      if isOption, isNegativeNumber(word) {
        joined.append("\(joined.removeLast())=\(word)")
      } else {
        joined.append(word)
      }
    }
    return joined
  }

  private func isNegativeNumber(_ word: String) -> Bool {
    guard word.first == "-", word.count > 1, !word.hasPrefix("--") else { return false }
    return Double(word) != nil || word.dropFirst().first?.isNumber == true
  }

  /// The first long option that the command doesn't have, and the one that may have been meant.
  ///
  /// - Parameter help: the argument parser's own description of all commands, as JSON.
  func unknownOption(help: String) -> (option: String, suggestion: String?)? {
    guard let root = try? CommandHelp(parsing: help) else { return nil }
    var command = root
    var names = root.optionNames
    for word in options {
      guard let next = command.subcommands?.first(where: { $0.commandName == word }) else {
        continue
      }
      command = next
      names.formUnion(next.optionNames)
    }
    for word in options where word.hasPrefix("--") && word.count > 2 {
      let name = String(word.dropFirst(2).prefix { $0 != "=" })
      guard !names.contains(name) else { continue }
      return ("--\(name)", nearestName(to: name, in: Array(names)).map { "--\($0)" })
    }
    return nil
  }

  /// The first word that stands in a verb's place and is none, and the verb that may have been meant.
  ///
  /// - Parameter help: the argument parser's own description of all commands, as JSON.
  func unknownVerb(help: String) -> (verb: String, suggestion: String?)? {
    guard var command = try? CommandHelp(parsing: help) else { return nil }
    for word in options {
      guard let verbs = command.subcommands?.filter({ $0.shouldDisplay != false }),
        !verbs.isEmpty, !word.hasPrefix("-")
      else { return nil }
      guard let next = command.subcommands?.first(where: { $0.commandName == word }) else {
        return (word, nearestName(to: word, in: verbs.map(\.commandName)))
      }
      command = next
    }
    return nil
  }
}
