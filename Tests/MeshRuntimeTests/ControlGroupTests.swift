import Foundation
import MeshRuntime
import Testing

/// Limits of containers and services, in trees of files like the kernel's.
@Suite struct ControlGroupTests {
  /// A tree with these files.
  private func tree(_ files: [String: String]) throws -> TemporaryStore {
    let store = try TemporaryStore()
    for (name, text) in files {
      let url = URL(fileURLWithPath: "\(store.path)/\(name)")
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data((text + "\n").utf8).write(to: url)
    }
    return store
  }

  @Test("a container with groups of the first version sees its own as the topmost")
  func container() throws {
    let store = try tree([
      "memory/memory.limit_in_bytes": "1000000", "memory/memory.usage_in_bytes": "300000",
      "memory/memory.stat": "cache 250000\ninactive_file 200000",
      "cpu,cpuacct/cpu.cfs_quota_us": "150000", "cpu,cpuacct/cpu.cfs_period_us": "100000",
    ])
    let group = ControlGroup(
      root: store.path, membership: "4:memory:/docker/c0ffee\n2:cpu,cpuacct:/docker/c0ffee\n")
    #expect(group.availableBytes == 900_000)
    #expect(group.processors == 2)
  }

  @Test("of nested groups of the second version the tightest limit counts")
  func nested() throws {
    let store = try tree([
      "system.slice/memory.max": "5000000", "system.slice/memory.current": "4500000",
      "system.slice/mesh.service/memory.max": "1000000",
      "system.slice/mesh.service/memory.current": "100000",
      "system.slice/cpu.max": "100000 100000", "system.slice/mesh.service/cpu.max": "max 100000",
    ])
    let group = ControlGroup(root: store.path, membership: "0::/system.slice/mesh.service\n")
    #expect(group.availableBytes == 500_000)
    #expect(group.processors == 1)
  }

  @Test(
    "without limits there are none",
    arguments: [
      ["memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "5"],
      ["memory/memory.limit_in_bytes": "no number", "cpu/cpu.cfs_quota_us": ""],
      ["cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"],
      ["memory.max": "max", "memory.current": "5", "cpu.max": "max 100000"], [:],
    ])
  func none(_ files: [String: String]) throws {
    let store = try tree(files)
    let group = ControlGroup(root: store.path, membership: "4:memory:/\n1:cpu:/\n0::/\n")
    #expect(group.availableBytes == nil)
    #expect(group.processors == nil)
  }

  @Test("of more memory in use than its limit nothing is left")
  func overdrawn() throws {
    let store = try tree(["memory.max": "1000", "memory.current": "1500"])
    #expect(ControlGroup(root: store.path, membership: "0::/").availableBytes == 0)
  }
}
