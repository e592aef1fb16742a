import Foundation
import TensorFiles
import Testing

/// What `attnmesh limits` prints of files.
struct LimitTableTests {
  @Test("the table has every bound of the code, once, with a unit and a meaning")
  func complete() throws {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/TensorFiles/TensorFileLimits.swift")
    let code = try String(contentsOf: source, encoding: .utf8)
    let names = code.matches(of: /static let (\w+)/).map { String($0.1) }
    let table = TensorFileLimits.table
    #expect(names.count >= 5 && table.map(\.name).sorted() == names.sorted())
    #expect(table.allSatisfy { $0.value > 0 && !$0.unit.isEmpty && !$0.meaning.isEmpty })
  }
}
