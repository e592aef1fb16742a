import Foundation
import MeshCore
import Testing

/// What `attnmesh limits` prints.
@Suite struct LimitTableTests {
  @Test("the table has every bound of the code, once, with a unit and a meaning")
  func complete() throws {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/MeshCore/Limits.swift")
    let code = try String(contentsOf: source, encoding: .utf8)
    let names = code.matches(of: /static let (\w+)/).map { String($0.1) }
    let table = Limits.table
    #expect(names.count > 50)
    #expect(table.map(\.name).sorted() == names.sorted())
    #expect(table.allSatisfy { $0.value > 0 && !$0.unit.isEmpty && !$0.meaning.isEmpty })
  }

  @Test("what the documentation says of them is what they are")
  func documented() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    func text(_ name: String) throws -> String {
      try String(contentsOf: root.appending(path: name), encoding: .utf8)
        .split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
    func grouped(_ count: Int) -> String {
      count < 1_000 ? "\(count)" : "\(count / 1_000),\("\(1_000 + count % 1_000)".dropFirst())"
    }
    let jobs = grouped(Limits.jobsMaximum)
    let readme = try text("README.md")
    let bounds =
      "\(Limits.workersMaximum) workers, \(Limits.vranksMaximum) virtual ranks, \(jobs) jobs, "
      + "\(Limits.tokensMaximum >> 20) Mi tokens, head dimension \(Limits.headDimensionMaximum)."
    #expect(readme.contains(bounds))
    let operations = try text("Documentation/operations.md")
    #expect(operations.contains("when it knows \(grouped(Limits.jobsKnownMaximum)) "))
    #expect(operations.contains("have a result it takes \(jobs) "))
    #expect(operations.contains("the last \(grouped(Limits.eventsKeptMaximum)) outlive"))
  }

  @Test("the values are those of the code")
  func values() throws {
    func value(_ name: String) -> Double? { Limits.table.first { $0.name == name }?.value }
    #expect(value("heartbeatTimeout") == 0.9 && value("workersMaximum") == 256)
    #expect(Limits.summary.contains("256 workers") && !Limits.summary.contains("\n"))
  }
}
