internal import ArgumentParser
internal import MeshCore
internal import MeshView
internal import TensorFiles

/// `attnmesh limits`.
struct LimitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limits",
    abstract: "List every bound of the mesh.",
    discussion:
      "They are part of the program. What would pass one is refused, or dropped and counted.")

  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let bounds =
      Limits.table.map {
        BoundView(name: $0.name, value: $0.value, unit: $0.unit, meaning: $0.meaning)
      }
      + TensorFileLimits.table.map {
        BoundView(name: $0.name, value: Double($0.value), unit: $0.unit, meaning: $0.meaning)
      }
    if json { return printJSON(bounds) }
    printTable(
      ["LIMIT", "VALUE", "UNIT", "MEANING"],
      bounds.map { [$0.name, text($0.value), $0.unit, $0.meaning] })
  }

  private func text(_ value: Double) -> String {
    value == value.rounded() ? decimals(value, 0) : decimals(value, 3)
  }

  private struct BoundView: Encodable {
    var name: String
    var value: Double
    var unit: String
    var meaning: String
  }
}
