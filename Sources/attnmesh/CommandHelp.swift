internal import Foundation

/// The argument parser's own description of a command, as its `--experimental-dump-help` prints it.
struct CommandHelp: Decodable {
  /// An option, a flag or an argument.
  struct Argument: Decodable {
    struct Name: Decodable {
      var kind: String
      var name: String

      /// As it is written.
      var text: String { (kind == "long" ? "--" : "-") + name }
    }

    var kind: String
    var shouldDisplay: Bool
    var isOptional: Bool
    var names: [Name]?
    var valueName: String?
    var abstract: String?
    var defaultValue: String?
  }

  var commandName: String
  var shouldDisplay: Bool?
  var abstract: String?
  var discussion: String?
  var arguments: [Argument]?
  var subcommands: [CommandHelp]?

  init(parsing json: String) throws {
    struct Dump: Decodable { var command: CommandHelp }
    self = try JSONDecoder().decode(Dump.self, from: Data(json.utf8)).command
  }

  /// Long options that it has, with those that every command has.
  var optionNames: Set<String> {
    let all = (arguments ?? []).flatMap { $0.names ?? [] }
    return Set(all.filter { $0.kind == "long" }.map(\.name)).union([
      "help", "help-hidden", "version", "generate-completion-script", "experimental-dump-help",
    ])
  }
}
