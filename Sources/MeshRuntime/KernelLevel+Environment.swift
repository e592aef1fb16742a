package import AttentionKernels
internal import Glibc

extension KernelLevel {
  /// The environment variable that forces a level.
  package static var environmentVariable: String { "ATTNMESH_CPU" }

  /// The level that `ATTNMESH_CPU` names, or the best one of this CPU.
  package static func chosen() throws(MeshError) -> KernelLevel {
    guard let value = getenv(environmentVariable) else { return .best }
    let name = String(cString: value)
    guard let level = KernelLevel(name: name) else {
      let names = allCases.map(\.name).joined(separator: ", ")
      throw MeshError(.badInput, "\(environmentVariable)=\(name): it is one of \(names)")
    }
    guard level.isSupported else {
      throw MeshError(.badInput, "\(environmentVariable)=\(name): this CPU has no \(level.name)")
    }
    return level
  }
}
