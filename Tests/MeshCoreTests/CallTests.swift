import MeshCore
import Testing

/// Who may call what, and what becomes of repeated calls.
@Suite struct CallTests {
  private static let job = JobID(high: 9, low: 9)
  static let requests: [CallRequest] = [
    .submit(SubmitRequest(spec: sampleJob(queries: 10), deadlineSeconds: 0)), .start(job),
    .status(job), .list(), .cancel(job), .result(job), .discard(job), .workers, .remove(job),
    allEvents, .drain("worker-9"), .cordon("worker-9", isLifted: false), .mesh,
  ]
  /// Those of other clients' jobs, too.
  private static let allEvents = CallRequest.events(EventsRequest(after: 0, job: nil))

  /// What the table promises, written out once more.
  private static let viewing: [Method] = [.status, .list, .workers, .events, .mesh]
  /// What clients may not.
  private static let operating: [Method] = [.drain, .cordon, .mesh]

  @Test("every method answers the roles it is for and refuses the others", arguments: requests)
  func roles(request: CallRequest) throws {
    for role in Role.allCases {
      let mesh = CoordinatorHarness()
      mesh.join(1)
      let isAllowed =
        role == .operator
        || (role == .client && !Self.operating.contains(request.method))
        || (role == .viewer && Self.viewing.contains(request.method))
      let outcome = mesh.call(request, as: role, id: 1)
      guard isAllowed else {
        #expect(outcome?.code == .permissionDenied, "\(role) \(request.method)")
        #expect(mesh.effects.count == 1)
        continue
      }
      if role == .client, request == Self.allEvents {
        // Nothing has happened that is its business: it waits.
        #expect(outcome == nil && mesh.effects.isEmpty)
      } else if case .submit = request {
        // Answered once the store has made room.
        #expect(outcome == nil && mesh.commands.count == 1)
      } else {
        let code = try #require(outcome?.code, "\(role) \(request.method)")
        #expect(code == .ok || code == .notFound, "\(role) \(request.method)")
      }
    }
  }

  @Test("every method is in the table, and the bulk ones are refused to workers and viewers")
  func table() {
    #expect(Set(Self.requests.map(\.method)) == Set(Method.allCases.filter { !$0.isBulk }))
    for method in Method.allCases {
      #expect(!method.roles.contains(.worker), "\(method)")
      #expect(method.roles.contains(.viewer) == Self.viewing.contains(method), "\(method)")
      #expect(method.roles.contains(.client) != Self.operating.contains(method), "\(method)")
      #expect(method.roles.contains(.operator))
    }
  }

  @Test("late calls and other versions are refused before anything else", arguments: requests)
  func refusals(request: CallRequest) {
    let mesh = CoordinatorHarness()
    for remaining in [Duration.zero, .milliseconds(-5)] {
      let outcome = mesh.call(request, remaining: remaining)
      #expect(outcome?.code == .deadlineExceeded)
    }
    for version in [0, protocolVersion + 1, .min, .max] {
      let outcome = mesh.call(request, as: .worker, version: version)
      #expect(outcome?.code == .failedPrecondition)
      #expect(outcome?.message.contains("\(version)") == true)
    }
    #expect(mesh.commands.isEmpty)
  }

  @Test("a repeated request gets the same reply and has one effect")
  func repeats() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.submit(id: 1))
    mesh.send(.store(.created(job)))
    let first = try #require(mesh.reply(to: 1)?.submitted)
    #expect(first.job == job)
    let again = CallRequest.submit(
      SubmitRequest(spec: sampleJob(queries: 600), deadlineSeconds: 0))
    #expect(mesh.call(again, id: 1, caller: 2)?.submitted == first)
    #expect(mesh.commands.isEmpty && mesh.effects.count == 1)
    #expect(mesh.call(again, id: 1, caller: 2)?.submitted == first)

    let cancelled = mesh.call(.cancel(job), id: 2)?.status
    #expect(cancelled?.summary.state == .cancelled)
    #expect(mesh.call(.cancel(job), id: 2)?.status == cancelled)
    #expect(mesh.observed.count { $0.kind == .jobCancelled } == 1)
  }

  @Test("a duplicate that comes while the first is under way gets its reply too")
  func joined() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.submit(id: 1))
    #expect(mesh.submit(id: 1) == nil)
    let request = CallRequest.submit(
      SubmitRequest(spec: sampleJob(queries: 600), deadlineSeconds: 0))
    #expect(mesh.call(request, id: 1, caller: 2) == nil)
    mesh.send(.store(.created(job)))
    #expect(mesh.reply(to: 1, caller: 1)?.submitted?.job == job)
    #expect(mesh.reply(to: 1, caller: 2)?.submitted?.job == job)
    #expect(mesh.effects.count == 2)
  }

  @Test("a request id that was used for something else is refused")
  func conflicts() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.submit(id: 1))
    let other = SubmitRequest(spec: sampleJob(queries: 601), deadlineSeconds: 0)
    #expect(mesh.call(.submit(other), id: 1)?.code == .alreadyExists)
    #expect(mesh.call(.cancel(job), id: 1)?.code == .alreadyExists)
    mesh.send(.store(.created(job)))
    #expect(mesh.call(.submit(other), id: 1)?.code == .alreadyExists)
    #expect(mesh.commands.isEmpty)
  }

  @Test("a looking call under a submit's id neither goes unanswered nor spoils its reply")
  func lookingUnderAUsedID() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.submit(id: 1))
    #expect(mesh.call(.list(), id: 1)?.code == .alreadyExists)
    mesh.send(.store(.created(job)))
    #expect(mesh.reply(to: 1)?.submitted?.job == job)
    #expect(mesh.call(.status(job), id: 1)?.code == .alreadyExists)
    let again = CallRequest.submit(
      SubmitRequest(spec: sampleJob(queries: 600), deadlineSeconds: 0))
    #expect(mesh.call(again, id: 1)?.submitted?.job == job)
  }

  @Test("a refusal for want of room is not kept: the same request may succeed later")
  func refusalIsForgotten() throws {
    let spec = sampleJob(queries: 600)
    let bytes = spec.inputBytes + spec.outputBytes + spec.logSumExpBytes
    let mesh = CoordinatorHarness(quota: bytes)
    let first = try #require(mesh.submit(spec))
    mesh.send(.store(.created(first)))
    let request = CallRequest.submit(SubmitRequest(spec: spec, deadlineSeconds: 0))
    #expect(mesh.call(request, id: 7)?.code == .resourceExhausted)
    mesh.call(.cancel(first))
    #expect(mesh.call(request, id: 7) == nil)
    #expect(mesh.commands.count == 1)
  }

  @Test("an unknown job is NOT_FOUND to every method that names one")
  func unknownJob() {
    let mesh = CoordinatorHarness()
    let requests: [CallRequest] = [
      .start(Self.job), .status(Self.job), .cancel(Self.job), .result(Self.job), .discard(Self.job),
      .remove(Self.job),
    ]
    for request in requests {
      let outcome = mesh.call(request)
      #expect(outcome?.code == .notFound)
      #expect(outcome?.message.contains("\(Self.job)") == true)
    }
  }
}
