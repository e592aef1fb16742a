internal import Glibc
internal import MeshCore
internal import MeshRuntime

/// What the thread of a watch does.
struct JobSession {
  let inputs: JobInputs
  let directory: String
  let isStopping: () -> Bool
  let tell: (JobWatch.News) -> Void

  func run(endpoint: String, workers: Int) -> JobWatch.Verdict {
    let client: MeshClient
    let job: RemoteJob
    let last: EventsRequest
    do throws(MeshError) {
      client = try MeshClient(endpoint: endpoint, name: "chaos")
      try waitForMesh(client, workers)
      last = try lastEvent(client)
      job = try RemoteJob(
        submitting: inputs, deadlineSeconds: 0, client: client, isCancelled: isStopping,
        progress: { _, _ in })
    } catch {
      return error.kind == .interrupted ? .stopped : .refused(error.message)
    }
    return follow(job, client, from: last)
  }

  /// Its coordinator may only just be starting, and nothing listens yet. Whoever watches the processes
  /// stops the session when one of them has ended.
  private func waitForMesh(_ client: MeshClient, _ workers: Int) throws(MeshError) {
    while true {
      do throws(MeshError) {
        return try client.waitForWorkers(workers, isCancelled: isStopping)
      } catch {
        guard error.kind == .unreachable, !isStopping() else { throw error }
        usleep(50_000)
      }
    }
  }

  /// Where the events of earlier jobs end.
  private func lastEvent(_ client: MeshClient) throws(MeshError) -> EventsRequest {
    let outcome = try client.call(
      .events(EventsRequest(after: .max, job: nil)), patience: .milliseconds(300),
      grace: .seconds(10), isCancelled: isStopping)
    guard case .success(.events(let reply)) = outcome else {
      return EventsRequest(after: 0, job: nil)
    }
    return EventsRequest(after: reply.next, job: nil, term: reply.term)
  }

  private func follow(
    _ job: RemoteJob, _ client: MeshClient, from request: EventsRequest
  ) -> JobWatch.Verdict {
    var request = request
    while !isStopping() {
      do throws(MeshError) {
        switch try client.call(
          .status(job.id), patience: .seconds(1), isCancelled: isStopping)
        {
        case .failure(let failure) where failure.code == .notFound:
          return .lost("the coordinator doesn't know the job: \(failure.message)")
        case .success(.status(let status)):
          tell(.status(status))
          if status.summary.state.isTerminal {
            // The last events came with the end.
            while try !tellEvents(of: client, from: &request).isEmpty {}
            return status.summary.state == .done ? fetch(job, status) : .failed(status)
          }
        default: break
        }
        _ = try tellEvents(of: client, from: &request)
      } catch {
        // A coordinator that doesn't answer is one of the faults.
      }
    }
    return .stopped
  }

  /// Returns at the next event, or soon enough to see progress: after a tenth of a second, since the
  /// coordinator answers two tenths before the caller gives up.
  private func tellEvents(
    of client: MeshClient, from request: inout EventsRequest
  ) throws(MeshError) -> [RecordedEvent] {
    let outcome = try client.call(
      .events(request), patience: .milliseconds(300),
      grace: .seconds(1), isCancelled: isStopping)
    guard case .success(.events(let reply)) = outcome else { return [] }
    (request.after, request.term) = (reply.next, reply.term)
    if !reply.events.isEmpty { tell(.events(reply.events)) }
    return reply.events
  }

  /// Fetches the result, from the next coordinator if this one dies.
  private func fetch(_ job: RemoteJob, _ status: JobStatus) -> JobWatch.Verdict {
    var problem = ""
    while !isStopping() {
      do throws(MeshError) {
        let digests = try ResultDigests.writing(to: directory, shape: inputs.shape) { files in
          _ = try job.fetch(into: files, withLogSumExp: true) { _, _ in }
        }
        job.discard()
        return .done(digests, status)
      } catch {
        problem = error.message
        guard error.kind == .unreachable else { return .lost(problem) }
      }
    }
    return .lost(problem)
  }
}
