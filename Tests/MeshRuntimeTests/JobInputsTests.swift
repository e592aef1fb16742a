import ElementTypes
import Glibc
import MeshCore
import MeshRuntime
import Testing

/// The tensors of a job while others write to them.
@Suite struct JobInputsTests {
  private let store: TemporaryStore

  init() throws {
    store = try TemporaryStore()
    for name in ["q", "k", "v"] {
      let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 4)}"
      let header =
        [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.utf8.count), 0] + Array(text.utf8)
      try write(header + [UInt8](repeating: 0, count: 128), to: path(name))
    }
  }

  private func path(_ name: String) -> String { "\(store.path)/\(name).npy" }

  private func inputs() throws -> JobInputs {
    try JobInputs(
      query: path("q"), key: path("k"), value: path("v"),
      options: JobInputs.Options(
        mask: .full, scale: nil, layout: nil, precision: .float32, vranks: 0))
  }

  private func failure(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch {
      #expect((error as? MeshError)?.kind == .badInput)
      return "\(error)"
    }
  }

  /// Looking for NaN and reading are two passes over one version, on a mesh as in one process: both
  /// read through here.
  @Test("a tensor that is changed after the search for NaN is refused", arguments: ["q", "k", "v"])
  func changedBetweenPasses(name: String) throws {
    let inputs = try inputs()
    try inputs.rejectNonfinite()
    try inputs.checkUnchanged()
    let file = open(path(name), O_WRONLY | O_CLOEXEC)
    try #require(pwrite(file, [1], 1, 100) == 1)
    close(file)
    let tensor: InputTensor = name == "q" ? .query : name == "k" ? .key : .value
    var bytes = [UInt8](repeating: 0, count: 16)
    let reading = failure {
      try bytes.withUnsafeMutableBytes { try inputs.read(tensor, at: 0, into: $0) }
    }
    for problem in [reading, failure(inputs.checkUnchanged), failure(inputs.rejectNonfinite)] {
      #expect(
        problem?.contains("\(name).npy: changed while it was read") == true, "\(problem ?? "")")
    }
  }
}
