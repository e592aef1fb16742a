internal import ArgumentParser
internal import Foundation
internal import MeshRuntime

/// Asks before something is done that can't be taken back.
struct ConfirmationOptions: ParsableArguments {
  @Flag(name: [.short, .long], help: "Don't ask. Needed where nobody can be asked.")
  var yes = false

  /// - Parameters:
  ///   - what: for a refusal: what would have been done.
  ///   - question: asked on a terminal only.
  /// - Throws: when the answer isn't yes, or when standard input is no terminal.
  func confirm(_ what: String, _ question: () throws -> String) throws {
    if yes { return }
    guard isatty(STDIN_FILENO) == 1 else {
      throw MeshError(
        .badInput, "\(what): standard input is no terminal, so nobody can confirm it; add --yes")
    }
    // To standard error: the output may go into a file.
    FileHandle.standardError.write(Data("\(try question())? [y/N] ".utf8))
    let answer = readLine()?.lowercased() ?? ""
    guard ["y", "yes"].contains(answer) else {
      throw MeshError(.jobFailed, "nothing was done")
    }
  }
}
