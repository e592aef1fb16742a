/// The calls of the mesh: each is a method of a service in `Protos/`. One table says who may call
/// what; what is not in it is refused.
package enum Method: UInt8, Sendable, CaseIterable {
  // Service Jobs, on the control socket.
  case submit = 1
  case start = 2
  case status = 3
  case list = 4
  case cancel = 5
  case result = 6
  case discard = 7
  case remove = 15
  // Service Mesh, on the control socket.
  case workers = 8
  case events = 9
  case drain = 12
  case cordon = 13
  case mesh = 14
  // Service Store, on the data socket.
  case upload = 10
  case read = 11

  /// "service.method", as in `Protos/`.
  package var name: String {
    switch self {
    case .submit: "Jobs.Submit"
    case .start: "Jobs.Start"
    case .status: "Jobs.Status"
    case .list: "Jobs.List"
    case .cancel: "Jobs.Cancel"
    case .result: "Jobs.Result"
    case .discard: "Jobs.Discard"
    case .remove: "Jobs.Remove"
    case .workers: "Mesh.Workers"
    case .events: "Mesh.Events"
    case .drain: "Mesh.Drain"
    case .cordon: "Mesh.Cordon"
    case .mesh: "Mesh.Status"
    case .upload: "Store.Upload"
    case .read: "Store.Read"
    }
  }

  /// What it is for, as in "to submit a job".
  package var purpose: String {
    switch self {
    case .submit: "submit a job"
    case .start: "start a job"
    case .status: "look at a job"
    case .list: "list jobs"
    case .cancel: "cancel a job"
    case .result: "fetch a result"
    case .discard: "discard a result"
    case .workers: "list workers"
    case .events: "read events"
    case .remove: "remove a job"
    case .drain: "drain a worker"
    case .cordon: "cordon a worker"
    case .mesh: "look at the mesh"
    case .upload: "send tensors"
    case .read: "read a result"
    }
  }

  /// Whether the method is served on the data socket, where messages are large.
  package var isBulk: Bool { self == .upload || self == .read }

  /// Who may call it. Deny by default: a role that isn't listed is refused.
  package var roles: [Role] {
    switch self {
    case .submit, .start, .result, .discard, .remove, .upload, .read: [.client, .operator]
    case .status, .list, .workers, .events: [.client, .operator, .viewer]
    // It tells of everybody's jobs.
    case .mesh: [.operator, .viewer]
    case .cancel: [.client, .operator]
    case .drain, .cordon: [.operator]
    }
  }

  /// Whether a repeated request id is answered from the kept reply instead of being done again.
  package var isKept: Bool {
    switch self {
    case .submit, .start, .cancel, .discard, .remove, .drain, .cordon: true
    case .status, .list, .result, .workers, .events, .mesh, .upload, .read: false
    }
  }
}

extension Method {
  /// Why a call isn't even looked at: another protocol, no time left, or not allowed.
  package func refusal(of header: CallHeader) -> CallFailure? {
    if header.version != protocolVersion {
      return CallFailure(
        .failedPrecondition,
        "protocol version \(header.version); this coordinator speaks \(protocolVersion)")
    }
    if header.remaining <= .zero {
      return CallFailure(.deadlineExceeded, "the call to \(purpose) arrived after its deadline")
    }
    if !roles.contains(header.role) {
      let allowed = Role.allCases.filter { roles.contains($0) }.map { withArticle("\($0)") }
      return CallFailure(
        .permissionDenied,
        "\(withArticle("\(header.role)"))'s key doesn't allow one to \(purpose); it takes"
          + " \(allowed.joined(separator: " or "))'s key")
    }
    return nil
  }
}

/// What a caller is to the mesh.
package enum Role: UInt8, Sendable, CaseIterable {
  case worker = 1
  /// Submits jobs, follows and fetches them.
  case client = 2
  /// May do everything.
  case `operator` = 3
  /// Looks only.
  case viewer = 4
}

/// What every call says beside its request.
package struct CallHeader: Hashable, Sendable {
  package var version: Int
  package var request: RequestID
  package var role: Role
  /// Who calls, for people and for fair queueing: user@host.
  package var client: String
  /// Raw method number: it may be one that this build doesn't know.
  package var method: UInt8
  /// Time the caller still waits; never a wall-clock deadline.
  package var remaining: Duration

  package init(
    version: Int = protocolVersion, request: RequestID, role: Role, client: String, method: UInt8,
    remaining: Duration
  ) {
    self.version = version
    self.request = request
    self.role = role
    self.client = client
    self.method = method
    self.remaining = remaining
  }
}

/// The requests of the control socket.
package enum CallRequest: Hashable, Sendable {
  case submit(SubmitRequest)
  case start(JobID)
  case status(JobID)
  case list(ListRequest = ListRequest())
  case cancel(JobID)
  case result(JobID)
  case discard(JobID)
  /// Forget a job that has ended.
  case remove(JobID)
  case workers
  case events(EventsRequest)
  /// Relieve the worker of this name of what it hosts, and let it end.
  case drain(String)
  /// Give the worker of this name nothing new, or lift that.
  case cordon(String, isLifted: Bool)
  case mesh

  package var method: Method {
    switch self {
    case .submit: .submit
    case .start: .start
    case .status: .status
    case .list: .list
    case .cancel: .cancel
    case .result: .result
    case .discard: .discard
    case .remove: .remove
    case .workers: .workers
    case .events: .events
    case .drain: .drain
    case .cordon: .cordon
    case .mesh: .mesh
    }
  }
}

/// The replies of the control socket.
package enum CallReply: Hashable, Sendable {
  case submitted(SubmitReply)
  case status(JobStatus)
  case jobs(JobPage)
  case result(ResultReply)
  case workers([WorkerStatus])
  case events(EventsReply)
  case mesh(MeshStatus)
}

/// Asks for room for a job's inputs. Tensors follow by `Store.Upload`, then `Jobs.Start`.
package struct SubmitRequest: Hashable, Sendable {
  package var spec: AttentionJob
  /// Seconds from submit after which the job fails, whatever its state; 0 for none.
  package var deadlineSeconds: Double
  /// Whether state is copied and checkpointed while the job runs: without, losing a worker ends it.
  package var isProtected: Bool
  /// What people call it: printable, at most `Limits.nameBytesMaximum` bytes; empty for none.
  package var name: String
  /// Whether only the answer is wanted: no job comes of it, and no room is made.
  package var isDryRun: Bool

  package init(
    spec: AttentionJob, deadlineSeconds: Double, isProtected: Bool = true, name: String = "",
    isDryRun: Bool = false
  ) {
    self.spec = spec
    self.deadlineSeconds = deadlineSeconds
    self.isProtected = isProtected
    self.name = name
    self.isDryRun = isDryRun
  }
}

/// What is wrong with a name that a job should have; nil for nothing.
package func problem(withJobName name: String) -> String? {
  if name.utf8.count > Limits.nameBytesMaximum {
    return "it has \(name.utf8.count) bytes; \(Limits.nameBytesMaximum) are the limit"
  }
  return printable(name) == name ? nil : "it has characters that can't be printed"
}

/// The job was admitted: where to send its tensors, and what it will take.
package struct SubmitReply: Hashable, Sendable {
  /// None, all zeros, of a dry run.
  package var job: JobID
  package var storeEndpoint: String
  /// Bytes one worker needs at most, by the present number of workers.
  package var workerBytes: Int
  /// Bytes reserved in the coordinator's store.
  package var diskBytes: Int

  package init(job: JobID, storeEndpoint: String, workerBytes: Int, diskBytes: Int) {
    self.job = job
    self.storeEndpoint = storeEndpoint
    self.workerBytes = workerBytes
    self.diskBytes = diskBytes
  }
}

/// The result of a finished job: how large it is, its digests, and where to read it.
package struct ResultReply: Hashable, Sendable {
  package var status: JobStatus
  package var storeEndpoint: String

  package init(status: JobStatus, storeEndpoint: String) {
    self.status = status
    self.storeEndpoint = storeEndpoint
  }
}

/// Asks for events after a position; waits for one when there is none yet.
package struct EventsRequest: Hashable, Sendable {
  /// Sequence number of the last event already seen; 0 for all that are kept.
  package var after: UInt64
  /// Only events of this job; nil for all.
  package var job: JobID?
  /// Of the coordinator that numbered `after`; 0 for the one that is asked. A coordinator goes on from
  /// what is kept of an earlier one's events, and may give numbers again that nothing is kept of.
  package var term: UInt64

  package init(after: UInt64, job: JobID?, term: UInt64 = 0) {
    self.after = after
    self.job = job
    self.term = term
  }
}

/// Events in order. `next` is the position to ask from.
package struct EventsReply: Hashable, Sendable {
  package var events: [RecordedEvent]
  package var next: UInt64
  /// Events that were dropped before they could be read.
  package var missed: UInt64
  /// Of the coordinator that answers: another than before when it was restarted.
  package var term: UInt64
  /// When it answers, in seconds since 1970 by its clock.
  package var wallSeconds = 0.0

  package init(events: [RecordedEvent], next: UInt64, missed: UInt64, term: UInt64 = 0) {
    self.events = events
    self.next = next
    self.missed = missed
    self.term = term
  }

  /// Nothing that a caller has waited for.
  package var isNothing: Bool { events.isEmpty && missed == 0 }
}

/// A reply, or why there is none.
package typealias CallOutcome = Result<CallReply, CallFailure>
