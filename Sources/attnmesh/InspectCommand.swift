internal import ArgumentParser
internal import MeshCore
internal import MeshRuntime
internal import MeshView
internal import TensorFiles

/// `attnmesh inspect`.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what tensors a file holds.",
    discussion: """
      Names, types, shapes, sizes and the first numbers of a .npy or .safetensors file, also of types
      that aren't read. READ says whether attend takes a tensor as it is (yes), with --convert
      (convert), or not at all (no).

      Examples:
        attnmesh inspect q.npy
        attnmesh inspect model.safetensors --json
        attnmesh inspect model.safetensors:layers.0.query --values 16
      """.prose)

  @Argument(
    help: "file.npy, file.safetensors, file.safetensors:name, a pipe, or - for standard input.")
  var file: String

  @Option(help: "How many of the first numbers of each tensor to show.")
  var values = 4

  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    guard (0...1_000_000).contains(values) else {
      throw MeshError(.badInput, "--values \(values): it must be 0 to 1000000")
    }
    let listing: TensorListing
    let items: [TensorListing.Item]
    do throws(TensorFileError) {
      listing = try TensorListing(TensorLocation.parse(file)) { Attnmesh.complain($0) }
      items = try (0..<listing.count).map { index throws(TensorFileError) in
        try listing.item(index, values: values)
      }
    } catch {
      throw MeshError(.badInput, error.description)
    }
    if json { return printJSON(ListingView(file, listing, items)) }
    print("\(printable(file)): .\(listing.format), \(bytes(listing.byteCount))")
    printTable(
      ["TENSOR", "TYPE", "SHAPE", "SIZE", "READ", "FIRST VALUES"],
      items.map { item in
        [
          item.name.map(printable) ?? "-", item.type + (item.isFortranOrdered ? ", Fortran" : ""),
          "[\(item.shape.map(String.init).joined(separator: ", "))]", bytes(item.byteCount),
          item.readiness.rawValue, item.firstValues.map(number).joined(separator: " "),
        ]
      })
  }

  /// As short as it can be without being another number.
  private func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
    return "\(Float(value))"
  }

  private struct ListingView: Encodable {
    struct Tensor: Encodable {
      var name: String?
      var type: String
      var shape: [Int]
      var bytes: Int
      var fortranOrder: Bool
      var read: String
      var firstValues: [Double]
    }

    var file: String
    var format: String
    var bytes: Int
    var tensors: [Tensor]

    init(_ file: String, _ listing: TensorListing, _ items: [TensorListing.Item]) {
      self.file = file
      format = listing.format
      bytes = listing.byteCount
      tensors = items.map {
        Tensor(
          name: $0.name, type: $0.type, shape: $0.shape, bytes: $0.byteCount,
          fortranOrder: $0.isFortranOrdered, read: $0.readiness.rawValue,
          firstValues: $0.firstValues)
      }
    }
  }
}
