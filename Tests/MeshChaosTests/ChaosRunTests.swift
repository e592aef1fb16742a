import Foundation
import MeshChaos
import MeshCore
import Testing

/// The harness itself, on real processes: that faults happen, that it notices what they did, and that
/// it leaves nothing behind. One at a time: the processes compete for the cores.
@Suite(.serialized) struct ChaosRunTests {
  private static let small: @Sendable (inout ChaosScenario) -> Void = { scenario in
    scenario.workers = 2
    scenario.vranks = 4
    scenario.job = JobShape(queryHeads: 3, keyHeads: 1, tokens: 12_288)
  }

  private func run(_ scenario: ChaosScenario) throws -> ChaosResult {
    var run = ChaosRun(seed: 1, isCancelled: { false }, tell: { _ in })
    run.executable = try executable()
    let results = try run.run([scenario]) { _ in }
    return try #require(results.first)
  }

  @Test func undisturbedJobHasItsBytes() throws {
    let result = try run(
      ChaosScenario("T", "calm", []) {
        Self.small(&$0)
        $0.expectation.seen = ["job-done"]
        $0.expectation.unseen = ["worker-lost"]
      })
    #expect(result.problems == [])
    #expect(result.bytesEqual == true)
    #expect(result.outcome == "done")
  }

  /// Faults that nobody noticed, or that came too late, are not passed over.
  @Test func unmetExpectationsAreProblems() throws {
    let result = try run(
      ChaosScenario("T", "unmet", [ChaosStep(.event("never"), [.kill([.worker(1)])])]) {
        Self.small(&$0)
        $0.expectation.seen = ["worker-lost"]
        $0.expectation.unseen = ["job-started"]
      })
    #expect(result.faults == 0)
    #expect(
      result.problems == [
        "it was over before 1 of its faults", "nobody observed worker-lost",
        "job-started was observed",
      ])
  }

  @Test func killedWorkerIsReplaced() throws {
    let result = try run(
      ChaosScenario(
        "T", "kill", [ChaosStep(.folded(0.2), [.kill([.ring(0)]), .start([.worker(3)])])]
      ) {
        Self.small(&$0)
        $0.expectation.seen = ["worker-lost"]
      })
    #expect(result.problems == [])
    #expect(result.bytesEqual == true)
    #expect(result.detectionSeconds != nil)
  }

  /// A worker that ends by itself is a finding, whatever becomes of the job. The run is over with the
  /// first of them, and which that is is up to the machine.
  @Test func unexpectedEndIsAProblem() throws {
    let result = try run(
      ChaosScenario("T", "refused", []) {
        Self.small(&$0)
        $0.workerArguments = ["--threads", "0"]
      })
    #expect(result.problems.contains { $0.contains(" ended with code 2") })
  }

  /// Only the link between one worker and the coordinator: the proxies know who connects.
  @Test func cutLinkOfOneWorker() throws {
    let result = try run(
      ChaosScenario(
        "T", "cut",
        [
          ChaosStep(.folded(0.1), [.link(.always(.blackHole), [.worker(1)], [.coordinator])]),
          ChaosStep(.event("worker-lost"), [.heal]),
        ]
      ) {
        Self.small(&$0)
        $0.expectation.seen = ["worker-lost"]
      })
    #expect(result.problems == [])
    #expect(result.events["worker-lost"] == 1)
  }

  @Test func coordinatorComesBack() throws {
    let result = try run(
      ChaosScenario(
        "T", "restart",
        [ChaosStep(.folded(0.2), [.kill([.coordinator]), .start([.coordinator])])], Self.small))
    #expect(result.problems == [])
    #expect(result.bytesEqual == true)
  }

  /// Killed with -9 while processes are stopped: the guard ends them all the same.
  @Test func nothingIsLeftOfAKilledRun() throws {
    let scratch = try Scratch()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try executable())
    process.arguments = ["chaos", "--only", "C4-pause-all-10-s", "--seed", "1", "--verbose"]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["TMPDIR": scratch.path]) { $1 }
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    var told = ""
    while !told.contains("pause") {
      let bytes = errors.fileHandleForReading.availableData
      guard !bytes.isEmpty else { throw HarnessError("over too early: \(told)") }
      told += String(decoding: bytes, as: UTF8.self)
    }
    #expect(processes(mentioning: scratch.path).count > 5)
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try eventually("the end of all processes") { processes(mentioning: scratch.path).isEmpty }
    #expect(scratch.names == [])
  }
}
