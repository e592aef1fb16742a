import CSystem
import Glibc
import MeshRuntime
import Testing

/// Processors that this process is allowed.
@Suite struct ProcessorTests {
  /// A child process inherits what its parent's thread may use: what is set here is what `taskset` sets.
  @Test("of the machine's processors only those count on which it may run")
  func affinity() throws {
    var all = cpu_set_t()
    let size = MemoryLayout<cpu_set_t>.size
    try #require(sched_getaffinity(0, size, &all) == 0)
    let words = withUnsafeBytes(of: all) { Array($0.bindMemory(to: UInt64.self)) }
    #expect((1...words.reduce(0) { $0 + $1.nonzeroBitCount }).contains(ProcessLimits.processors))
    let first = try #require(words.firstIndex { $0 != 0 })
    var one = cpu_set_t()
    withUnsafeMutableBytes(of: &one) {
      $0.bindMemory(to: UInt64.self)[first] = 1 << words[first].trailingZeroBitCount
    }
    try #require(sched_setaffinity(0, size, &one) == 0)
    defer { sched_setaffinity(0, size, &all) }
    #expect(ProcessLimits.processors == 1)
  }
}
