internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime

/// `attnmesh manual`: the man page, for `make install`.
struct Manual: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the man page.",
    discussion: """
      Example, where it isn't installed:
        attnmesh manual | man -l -
      """.prose)

  func run() throws {
    guard let help = try? CommandHelp(parsing: Attnmesh._dumpHelp()) else {
      throw MeshError(.badInput, "the argument parser doesn't describe its commands")
    }
    print(ManualPage(help, version: programVersion).text, terminator: "")
  }
}

/// All commands on one page for man(1), in the macros of man(7).
struct ManualPage {
  private var lines: [String] = []

  var text: String { lines.joined(separator: "\n") + "\n" }

  init(_ root: CommandHelp, version: String) {
    lines.append(".TH ATTNMESH 1 \"\" \"attnmesh \(version)\" \"User Commands\"")
    lines += [".SH NAME", Self.escaped("attnmesh - \(root.abstract ?? "")")]
    lines += [".SH SYNOPSIS", ".B attnmesh", ".I command", "[options]"]
    lines.append(".SH DESCRIPTION")
    discuss(root.discussion)
    lines.append(".SH COMMANDS")
    for command in root.subcommands ?? [] { describe(command, path: root.commandName) }
    lines += [".SH EXIT STATUS"]
    for (code, meaning) in [
      ("0", "done"), ("1", "the job failed"),
      ("2", "bad input, wrong flags or no room for the job"),
      ("3", "mesh unreachable or lost"), ("124", "the time of wait --timeout has passed"),
      ("130", "interrupted"),
    ] {
      lines += [".TP", code, meaning]
    }
    lines += [".SH ENVIRONMENT"]
    lines.append(
      "An option that names a variable in its description takes its value where it isn't given.")
  }

  private mutating func describe(_ command: CommandHelp, path: String) {
    guard command.shouldDisplay != false, command.commandName != "help" else { return }
    let path = "\(path) \(command.commandName)"
    let arguments = (command.arguments ?? []).filter { argument in
      argument.shouldDisplay
        && argument.names?.contains { ["help", "version"].contains($0.name) } != true
    }
    lines.append(".SS \(Self.escaped(path + Self.synopsis(arguments)))")
    lines.append(Self.escaped(command.abstract ?? ""))
    discuss(command.discussion)
    for argument in arguments {
      lines += [".TP", "\\fB\(Self.escaped(Self.term(argument)))\\fR"]
      let value = argument.kind == "flag" ? nil : argument.defaultValue
      lines.append(
        Self.escaped((argument.abstract ?? "") + (value.map { " (default: \($0))" } ?? "")))
    }
    for next in command.subcommands ?? [] { describe(next, path: path) }
  }

  /// What a command needs, after its name.
  private static func synopsis(_ arguments: [CommandHelp.Argument]) -> String {
    let needed = arguments.filter { !$0.isOptional && $0.kind != "flag" }
    return needed.map { " \(term($0))" }.joined()
      + (needed.count < arguments.count ? " [options]" : "")
  }

  private static func term(_ argument: CommandHelp.Argument) -> String {
    let names = (argument.names ?? []).map(\.text).joined(separator: ", ")
    switch argument.kind {
    case "positional": return "<\(argument.valueName ?? "")>"
    case "flag": return names
    default: return "\(names) <\(argument.valueName ?? "")>"
    }
  }

  /// Paragraphs, and examples as they stand.
  private mutating func discuss(_ text: String?) {
    guard let text, !text.isEmpty else { return }
    var isExample = false
    lines.append(".PP")
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        if isExample { lines.append(".fi") }
        isExample = false
        lines.append(".PP")
        continue
      }
      if line.first == " ", !isExample {
        isExample = true
        lines.append(".nf")
      } else if line.first != " ", isExample {
        isExample = false
        lines += [".fi", ".PP"]
      }
      lines.append(Self.escaped(String(line)))
    }
    if isExample { lines.append(".fi") }
  }

  /// Text that is no request, whatever it begins with.
  private static func escaped(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    return escaped.first == "." || escaped.first == "'" ? "\\&" + escaped : escaped
  }
}
