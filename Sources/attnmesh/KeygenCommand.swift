internal import ArgumentParser
internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import ZeroMQ

/// `attnmesh keygen`.
struct Keygen: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a key pair for a coordinator, a worker or a person.",
    discussion: """
      Writes the pair into --output, which its owner alone can read, and the line that admits it into
      the same path with .pub. Lines of workers and people go into the coordinator's --allow file; the
      coordinator's own .pub is what the others give as --coordinator-key.

      Example, a mesh of two machines:
        attnmesh keygen --role coordinator --name hub --output hub.key
        attnmesh keygen --role worker --name w1 --output w1.key >> allow
        attnmesh keygen --role operator --name alice --output alice.key >> allow
        attnmesh coordinator --listen tcp://0.0.0.0:7700 --identity hub.key \\
          --allow allow
        attnmesh worker --listen tcp://10.0.0.2:7710 \\
          --coordinator tcp://10.0.0.1:7700 --identity w1.key \\
          --coordinator-key hub.key.pub
      """.prose)

  @Option(help: "File for the pair; it must not exist.")
  var output: String

  @Option(help: "What the key is for: worker, client, operator, viewer or coordinator.")
  var role = "operator"

  @Option(help: "Who has it; a client's jobs are told by it. (default: user@host)")
  var name: String?

  @Flag(help: "Print JSON; the secret half is in the file alone.")
  var json = false

  func run() throws {
    _ = try choice(role, "--role", of: KeyFile.roles, named: { $0 })
    let name = name ?? MeshOptions.clientName
    guard PeerName.isValid(name) else {
      throw MeshError(.badInput, "--name \(name): \(PeerName.rule)")
    }
    let file = try KeyFile.make(output, role: role, name: name)
    if json {
      printJSON(
        KeyView(
          file: output, publicFile: output + ".pub", role: role, name: name,
          publicKey: "\(file.keys.publicKey)", line: file.publicLine))
    } else {
      print(file.publicLine)
    }
    do throws(MeshError) {
      try flushOutput()
    } catch {
      // Who didn't get the line tries again, with the same names.
      KeyFile.remove(output)
      throw error
    }
  }

  private struct KeyView: Encodable {
    var file: String
    var publicFile: String
    var role: String
    var name: String
    var publicKey: String
    /// For an allow-list.
    var line: String
  }
}
