import MeshCore
import Testing

/// Whose turn it is, and what is refused at the door.
@Suite struct QueueTests {
  @Test("clients take turns: A's five don't make B wait for all of them")
  func fairness() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    var names: [JobID: String] = [:]
    for number in 1...5 { names[try #require(mesh.queue(client: "A"))] = "A\(number)" }
    names[try #require(mesh.queue(client: "B"))] = "B1"
    var order: [String] = []
    var positions: [Int] = []
    for _ in 0..<6 {
      guard case .success(.jobs(let page)) = mesh.call(.list()) else { break }
      let list = page.jobs
      let active = try #require(list.first { $0.state == .running })
      order.append(names[active.job] ?? "?")
      if order.count == 1 {
        positions = list.reversed().map { mesh.status($0.job)?.queuePosition ?? -1 }
      }
      mesh.call(.cancel(active.job))
    }
    #expect(order == ["A1", "B1", "A2", "A3", "A4", "A5"])
    #expect(positions == [0, 2, 3, 4, 5, 1])
  }

  @Test("without workers a job waits, and starts when one comes")
  func waiting() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.queue())
    #expect(mesh.state(job) == .queued && mesh.reason(job) == "waits for workers")
    mesh.join(1)
    #expect(mesh.assigned?.job == job)
    #expect(mesh.state(job) == .running && mesh.reason(job).isEmpty)
  }

  @Test("a mesh that was empty waits a moment for all that are being started")
  func settling() throws {
    let mesh = CoordinatorHarness { $0.settling = Limits.settlingTime }
    let job = try #require(mesh.queue(sampleJob(queries: 3_072, vranks: 0)))
    for worker in UInt64(1)...5 {
      mesh.join(worker)
      #expect(mesh.state(job) == .queued)
      #expect(mesh.reason(job) == "waits a moment for more workers")
      mesh.pass(.milliseconds(200), beating: (1...worker).map { $0 })
    }
    mesh.pass(.milliseconds(200), beating: [1, 2, 3, 4, 5])
    #expect(mesh.state(job) == .running && mesh.table?.peers.count == 5)
    #expect((UInt64(1)...5).allSatisfy { mesh.table?.ranks(of: $0).isEmpty == false })
    // The next one finds a mesh that isn't empty.
    mesh.call(.cancel(job))
    mesh.join(6)
    let next = try #require(mesh.queue())
    #expect(mesh.state(next) == .running)
  }

  @Test("who takes no part in jobs is no beginning of a mesh")
  func settlingBesideACordonedOne() throws {
    let mesh = CoordinatorHarness { $0.settling = Limits.settlingTime }
    mesh.join(9)
    mesh.call(.cordon("worker-9", isLifted: false))
    mesh.pass(.seconds(10), beating: [9])
    let job = try #require(mesh.queue(sampleJob(queries: 3_072, vranks: 0)))
    mesh.join(1)
    #expect(mesh.state(job) == .queued)
    mesh.join(2)
    mesh.pass(Limits.settlingTime + .milliseconds(100), beating: [1, 2, 9])
    #expect(mesh.state(job) == .running && mesh.table?.ranks(of: 2).isEmpty == false)
  }

  @Test("--min-workers counts from the first that came, however long there was nobody")
  func minimumAfterALongTime() throws {
    let mesh = CoordinatorHarness { $0.workersMinimum = 3 }
    let job = try #require(mesh.queue())
    mesh.pass(Limits.workersMinimumTimeout * 2, beating: [])
    mesh.join(1)
    #expect(mesh.state(job) == .queued)
    mesh.join(2, 3)
    #expect(mesh.state(job) == .running)
  }

  @Test("one worker after the other doesn't put a job off for ever")
  func settlingIsBounded() throws {
    let mesh = CoordinatorHarness { $0.settling = Limits.settlingTime }
    let job = try #require(mesh.queue())
    var worker: UInt64 = 0
    while mesh.state(job) == .queued, worker < 100 {
      worker += 1
      mesh.join(worker)
      mesh.pass(.milliseconds(100), beating: (1...worker).map { $0 })
    }
    #expect(worker < 25)
  }

  @Test("jobs wait for --min-workers, without a moment more, and not for ever")
  func minimum() throws {
    let mesh = CoordinatorHarness {
      $0.settling = Limits.settlingTime
      $0.workersMinimum = 3
    }
    let job = try #require(mesh.queue())
    mesh.join(1, 2)
    mesh.pass(.seconds(10), beating: [1, 2])
    #expect(mesh.reason(job) == "waits for workers: 2 of the 3 of --min-workers are here")
    mesh.join(3)
    #expect(mesh.state(job) == .running)
    mesh.call(.cancel(job))
    mesh.send(.processEnded(name: "worker-3", reason: "gone"))
    let next = try #require(mesh.queue())
    mesh.pass(Limits.workersMinimumTimeout, beating: [1, 2])
    #expect(mesh.state(next) == .running)
    mesh.call(.cancel(next))
    let third = try #require(mesh.queue())
    #expect(mesh.state(third) == .running, "the machine is broken: not every job waits for it")
  }

  @Test("a job beyond the store's quota is refused with the numbers")
  func quota() throws {
    let spec = sampleJob(queries: 600)
    let bytes = spec.inputBytes + spec.outputBytes + spec.logSumExpBytes
    let mesh = CoordinatorHarness(quota: 2 * bytes - 1)
    _ = try #require(mesh.submit(spec))
    let refused = mesh.call(.submit(SubmitRequest(spec: spec, deadlineSeconds: 0)))
    #expect(refused?.code == .resourceExhausted)
    let size = MeshCore.bytes(bytes)
    let message = refused?.message ?? ""
    #expect(message.contains("needs \(size)") && message.contains("where \(size)"), "\(message)")
    #expect(message.contains("quota of \(MeshCore.bytes(2 * bytes - 1))"), "\(message)")
  }

  @Test("a job beyond the whole quota is told so, since nothing that is discarded would help it")
  func wholeQuota() throws {
    let spec = sampleJob(queries: 600)
    let bytes = spec.inputBytes + spec.outputBytes + spec.logSumExpBytes
    let mesh = CoordinatorHarness(quota: bytes - 1)
    let refused = mesh.call(.submit(SubmitRequest(spec: spec, deadlineSeconds: 0)))
    #expect(refused?.code == .resourceExhausted)
    let message = refused?.message ?? ""
    #expect(message.contains("needs \(MeshCore.bytes(bytes))"), "\(message)")
    #expect(message.contains("whole quota is \(MeshCore.bytes(bytes - 1))"), "\(message)")
    #expect(!message.contains("discard"), "\(message)")
  }

  @Test("a dry run is answered as a submit would be, and nothing comes of it")
  func dryRun() throws {
    let spec = sampleJob(queries: 600)
    let mesh = CoordinatorHarness(quota: spec.inputBytes + spec.outputBytes + spec.logSumExpBytes)
    mesh.join(1)
    let request = SubmitRequest(spec: spec, deadlineSeconds: 0, isDryRun: true)
    let dry = try #require(mesh.call(.submit(request))?.submitted)
    #expect(mesh.effects.allSatisfy { if case .reply = $0 { true } else { false } })
    guard case .success(.jobs(let page)) = mesh.call(.list()) else {
      Issue.record("no list")
      return
    }
    #expect(page.jobs.isEmpty)
    let id = try #require(mesh.submit(spec))
    #expect(dry.job != id)
    #expect(dry.workerBytes > 0)
    #expect(dry.diskBytes == spec.inputBytes + spec.outputBytes + spec.logSumExpBytes)
    // Now the quota is taken.
    #expect(mesh.call(.submit(request))?.code == .resourceExhausted)
  }

  @Test("a job beyond everybody's memory is refused with the numbers, and why each can't take part")
  func memory() {
    let mesh = CoordinatorHarness()
    mesh.join(sampleHello(1, memory: 2 << 20))
    mesh.join(sampleHello(2, memory: 1 << 20))
    mesh.join(3, 4)
    mesh.call(.cordon("worker-3", isLifted: false))
    mesh.call(.drain("worker-4"))
    let refused = mesh.call(
      .submit(SubmitRequest(spec: sampleJob(queries: 600), deadlineSeconds: 0)))
    #expect(refused?.code == .resourceExhausted)
    let message = refused?.message ?? ""
    #expect(message.contains("with 2 workers") && message.contains("needs up to"), "\(message)")
    #expect(
      message.contains(
        "0 of the 4 here can take part: worker-1 has 2.00 MiB, worker-2 has 1.00 MiB, worker-3 is"
          + " cordoned, worker-4 is leaving"), "\(message)")
  }

  @Test(
    "one that is too small keeps nobody from working, and is told of while it has nothing to do")
  func smallWorker() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    mesh.join(sampleHello(2, memory: 10))
    let job = try #require(mesh.queue())
    #expect(mesh.table?.peers.map(\.worker.incarnation) == [1])
    #expect(mesh.reason(job).hasPrefix("without worker-2 (10 B): it takes "), "\(mesh.reason(job))")
    #expect(mesh.observed(.jobStarted).last?.detail.contains("without worker-2 (10 B)") == true)
    guard case .success(.workers(let list)) = mesh.call(.workers) else { return }
    #expect(list.map(\.standing) == [.active, .tooSmall])
    // Where others wait for it, it is in nobody's way either.
    mesh.call(.cancel(job))
    let large = sampleJob(queries: 200_000, dimension: 64)
    _ = try #require(mesh.queue(large))
    #expect(mesh.table?.spec == large)
  }

  @Test(
    "those that are cordoned or leave don't count when a job is admitted, but it may wait for them")
  func closedWorkers() throws {
    let mesh = CoordinatorHarness()
    mesh.join(sampleHello(1, memory: 10))
    mesh.join(2)
    mesh.call(.cordon("worker-1", isLifted: false))
    let job = try #require(mesh.queue())
    #expect(mesh.state(job) == .running && mesh.reason(job).isEmpty)
    mesh.call(.cancel(job))
    // With nobody to work now it isn't refused: they may be let in again.
    mesh.call(.cordon("worker-2", isLifted: false))
    let later = try #require(mesh.queue())
    #expect(mesh.reason(later).contains("cordoned"))
    mesh.call(.cordon("worker-2", isLifted: true))
    #expect(mesh.state(later) == .running)
  }

  @Test("a job too large for those who are here waits, with the numbers, for others")
  func memoryLater() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.queue())
    mesh.join(sampleHello(2, memory: 1 << 20))
    #expect(mesh.state(job) == .queued)
    #expect(mesh.reason(job).hasPrefix("waits for workers with memory: "))
    #expect(mesh.reason(job).contains("worker-2 has 1.00 MiB"))
    // The small one is left out.
    mesh.join(3)
    #expect(mesh.state(job) == .running && mesh.reason(job).hasPrefix("without worker-2 ("))
    #expect(mesh.table?.peers.map(\.worker.incarnation) == [3])
  }

  @Test("one that doesn't fit doesn't keep those behind it waiting, and keeps its turn")
  func memoryOfTheFirst() throws {
    let mesh = CoordinatorHarness()
    let spec = sampleJob(queries: 600)
    let large = try #require(mesh.queue(sampleJob(queries: 200_000, keys: 200_000)))
    let small = try #require(mesh.queue(spec))
    let least = MemoryEstimate(plan: Plan(job: spec, vrankCount: 3), workers: 1)
    mesh.join(sampleHello(1, memory: least.workerBytes))
    #expect(mesh.state(large) == .queued && mesh.state(small) == .running)
    let table = try #require(mesh.table)
    mesh.storeAll(table)
    mesh.send(.store(.finished(small, digests: [sampleDigest(4), sampleDigest(5)])))
    mesh.beat(1, job: small, isLast: true)
    mesh.join(2)
    #expect(mesh.state(small) == .done && mesh.state(large) == .running)
  }

  @Test("where nobody can join a job that doesn't fit fails at once")
  func memoryOfAClosedMesh() throws {
    let mesh = CoordinatorHarness(isClosed: true)
    let job = try #require(mesh.queue())
    mesh.join(sampleHello(2, memory: 1 << 20))
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job).contains("worker-2 has 1.00 MiB"))
  }

  @Test("a bad job is INVALID_ARGUMENT with the reason", arguments: [0, -1, Int.min, Int.max])
  func badJob(tokens: Int) {
    let mesh = CoordinatorHarness()
    let spec = sampleJob(queries: tokens, keys: 5)
    let refused = mesh.call(.submit(SubmitRequest(spec: spec, deadlineSeconds: 0)))
    #expect(refused?.code == .invalidArgument && refused?.message == spec.problem)
  }

  @Test("a client's jobs are bounded, and so are all jobs")
  func bounds() {
    let mesh = CoordinatorHarness()
    let request = CallRequest.submit(
      SubmitRequest(spec: sampleJob(queries: 10), deadlineSeconds: 0))
    for _ in 0..<Limits.queuedJobsPerClientMaximum {
      #expect(mesh.call(request, client: "A") == nil)
    }
    #expect(mesh.call(request, client: "A")?.code == .resourceExhausted)
    for number in Limits.queuedJobsPerClientMaximum..<Limits.jobsMaximum {
      #expect(mesh.call(request, client: "B\(number)") == nil)
    }
    #expect(mesh.call(request, client: "C")?.code == .resourceExhausted)
  }

  @Test("the largest job there can be is refused at once, with its size")
  func largestJob() {
    let mesh = CoordinatorHarness(quota: 1 << 40)
    let spec = sampleJob(
      heads: Limits.headsMaximum, keyHeads: Limits.headsMaximum, queries: Limits.tokensMaximum,
      dimension: Limits.headDimensionMaximum, vranks: Limits.vranksMaximum)
    let refused = mesh.call(.submit(SubmitRequest(spec: spec, deadlineSeconds: 0)))
    #expect(refused?.code == .resourceExhausted)
  }
}
