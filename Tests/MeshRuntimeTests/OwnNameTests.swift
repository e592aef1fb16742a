import MeshCore
import MeshRuntime
import Testing

/// What processes are called where nobody says.
@Suite struct OwnNameTests {
  @Test("containers of one name whose processes have one id have different names")
  func containers() {
    let names = (0..<100).map { _ in OwnName.worker("node", processID: 1) }
    #expect(Set(names).count > 90)
    #expect(names.allSatisfy { $0.hasPrefix("node-1-") && $0.utf8.count == 11 })
    #expect(OwnName.worker("node", processID: 7, random: 10) == "node-7-000a")
  }

  @Test(
    "names of machines of any length and kind make names",
    arguments: [
      "", "n", String(repeating: "n", count: 64), String(repeating: "ü", count: 60), "two\nlines",
    ])
  func lengths(host: String) {
    for name in [OwnName.worker(host, processID: 4_194_304), OwnName.machine(host)] {
      #expect((1...Limits.nameBytesMaximum).contains(name.utf8.count))
      #expect(!name.contains("\n"))
    }
    #expect(OwnName.worker(host, processID: 4_194_304, random: 1).hasSuffix("-4194304-0001"))
  }
}
