import Checksums
import ElementTypes
import Foundation
import MeshCore
import Testing

/// What the coordinator writes of a job, and reads again.
@Suite struct JobImageTests {
  private func roundTrip(_ image: JobImage) throws -> JobImage {
    try JSONDecoder().decode(JobImage.self, from: JSONEncoder().encode(image))
  }

  @Test("an image is the same after it was written and read, in every state")
  func everyState() throws {
    let mesh = CoordinatorHarness()
    func check(_ state: JobState, _ job: JobID) throws {
      let image = try #require(mesh.disk[job])
      #expect(image.state == state && image.version == 1)
      #expect(try roundTrip(image) == image, "\(state)")
    }
    let job = try #require(mesh.submit())
    try check(.uploading, job)
    mesh.send(.store(.created(job)))
    mesh.call(.start(job))
    // That it is being sealed is nothing that a restart has to know.
    try check(.uploading, job)
    mesh.send(.store(.sealed(job, sampleInputs)))
    try check(.queued, job)
    mesh.join(1, 2)
    try check(.running, job)
    mesh.report(2, job: job, next: 1)
    mesh.cut(2)
    mesh.join(3)
    let restored = WorkerMessage.Restored(tier: .otherSlot, next: 1)
    mesh.report(1, job: job, next: 1, restored: restored)
    mesh.cut(3)
    try check(.running, job)
    mesh.storeAll(try #require(mesh.table))
    try check(.finishing, job)
    mesh.finish(job)
    mesh.send(.tick)
    if mesh.state(job) == .finishing {
      mesh.now += Limits.heartbeatTimeout
      mesh.send(.tick)
    }
    try check(.done, job)
    mesh.call(.discard(job))
    #expect(mesh.disk[job]?.isDiscarded == true)
    try check(.done, job)
    let cancelled = try #require(mesh.queue(isProtected: false))
    mesh.call(.cancel(cancelled))
    try check(.cancelled, cancelled)
  }

  @Test("the largest numbers come back as they were")
  func extremes() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.queue(sampleJob(queries: 600, element: ElementType.bfloat16)))
    var image = try #require(mesh.disk[job])
    image.job = JobID(high: .max, low: .max - 1)
    image.request = RequestID(high: .max, low: 0)
    image.number = .max
    image.deadlineSeconds = .greatestFiniteMagnitude
    image.ageSeconds = 0.1 + 0.2
    image.reason = "\"quoted\"\n\u{0}\u{1F9EE} \\"
    image.spec.scale = .leastNonzeroMagnitude
    let table = try #require(image.run?.table)
    image.run?.table = table.next(revision: Epoch(term: .max, counter: .max)) { hosts in
      hosts[0].epoch = Epoch(term: .max, counter: .max - 1)
      hosts[1].peer = nil
      hosts[1].holder = nil
    }
    #expect(try roundTrip(image) == image)
  }

  @Test(
    "a deadline that is no number goes to disk as none", arguments: [Double.nan, Double.infinity])
  func strangeDeadline(seconds: Double) throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.submit(deadline: seconds))
    let image = try #require(mesh.disk[job])
    #expect(image.deadlineSeconds == 0)
    #expect(try roundTrip(image) == image)
  }

  @Test("a coordinator that reads what it wrote writes the same again")
  func rewritten() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.queue(deadline: 500))
    mesh.cut(2)
    let before = try roundTrip(#require(mesh.disk[job]))
    mesh.step = .zero
    mesh.restart()
    mesh.join(1)
    // Any change writes it whole.
    let epoch = try #require(before.run?.table.hosts.first?.epoch)
    mesh.send(.store(.stored(job, VRank(0), epoch)))
    var after = try #require(mesh.disk[job])
    #expect(after.run?.isFinal.first == true)
    after.run?.isFinal[0] = false
    #expect(abs(after.ageSeconds - before.ageSeconds) < 0.002)
    #expect(abs(after.writtenAt - before.writtenAt) < 0.002)
    (after.ageSeconds, after.writtenAt) = (before.ageSeconds, before.writtenAt)
    after.run?.ageSeconds = before.run?.ageSeconds ?? 0
    #expect(after == before)
  }
}
