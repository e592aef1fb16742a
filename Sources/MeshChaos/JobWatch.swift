internal import MeshCore
internal import MeshRuntime
internal import Synchronization
internal import ZeroMQ

/// A client on its own thread: submits a job, tells how it fares and fetches the result. Whoever is
/// killed meanwhile, it goes on asking.
final class JobWatch: Sendable {
  /// What it tells.
  enum News: Sendable {
    case status(JobStatus)
    case events([RecordedEvent])
    case over(Verdict)
  }

  /// How the job ended for its client.
  enum Verdict: Sendable {
    case done(ResultDigests, JobStatus)
    case failed(JobStatus)
    case refused(String)
    /// The job is nowhere any more, or its result isn't.
    case lost(String)
    /// It was told to stop looking.
    case stopped
  }

  private final class Flags: Sendable {
    let isStopping = Atomic<Bool>(false)
    /// How often the coordinator was started: its events are counted from 1 again.
    let starts = Atomic<Int>(0)
  }

  /// Where the news is found.
  let news: Mailbox<News>
  private let flags = Flags()
  private let thread: DedicatedThread

  /// - Parameters:
  ///   - workers: how many to wait for before the job is submitted.
  ///   - directory: for the result's files, as long as they are needed.
  init(
    endpoint: String, workers: Int, inputs: JobInputs, directory: String
  ) throws(MeshError) {
    do throws(ZeroMQError) {
      let news = try Mailbox<News>(capacity: 4_096)
      let flags = self.flags
      self.news = news
      thread = try DedicatedThread(name: "watch") {
        let session = Session(
          inputs: inputs, directory: directory,
          isStopping: { flags.isStopping.load(ordering: .relaxed) },
          starts: { flags.starts.load(ordering: .relaxed) }, tell: { _ = news.post($0) })
        _ = news.post(.over(session.run(endpoint: endpoint, workers: workers)))
      }
    } catch {
      throw MeshError(.jobFailed, "no thread: \(error.description)")
    }
  }

  /// The coordinator was started again.
  func coordinatorRestarted() { _ = flags.starts.add(1, ordering: .relaxed) }

  func stop() {
    flags.isStopping.store(true, ordering: .relaxed)
    thread.join()
  }
}

/// What the thread of a watch does.
private struct Session {
  let inputs: JobInputs
  let directory: String
  let isStopping: () -> Bool
  let starts: () -> Int
  let tell: (JobWatch.News) -> Void

  func run(endpoint: String, workers: Int) -> JobWatch.Verdict {
    let client: MeshClient
    let job: RemoteJob
    let position: UInt64
    do throws(MeshError) {
      client = try MeshClient(endpoint: endpoint, name: "chaos")
      try client.waitForWorkers(workers, isCancelled: isStopping)
      position = try lastEvent(client)
      job = try RemoteJob(
        submitting: inputs, deadlineSeconds: 0, client: client, isCancelled: isStopping,
        progress: { _, _ in })
    } catch {
      return error.kind == .interrupted ? .stopped : .refused(error.message)
    }
    return follow(job, client, after: position)
  }

  /// Where the events of earlier jobs end.
  private func lastEvent(_ client: MeshClient) throws(MeshError) -> UInt64 {
    let outcome = try client.call(
      .events(EventsRequest(after: .max, job: nil)), patience: .milliseconds(300),
      grace: .seconds(10), isCancelled: isStopping)
    guard case .success(.events(let reply)) = outcome else { return 0 }
    return reply.next
  }

  private func follow(
    _ job: RemoteJob, _ client: MeshClient, after position: UInt64
  ) -> JobWatch.Verdict {
    var position = position
    var start = starts()
    while !isStopping() {
      if start != starts() { (start, position) = (starts(), 0) }
      do throws(MeshError) {
        switch try client.call(
          .status(job.id), patience: .seconds(1), isCancelled: isStopping)
        {
        case .failure(let failure) where failure.code == .notFound:
          return .lost("the coordinator doesn't know the job: \(failure.message)")
        case .success(.status(let status)):
          tell(.status(status))
          if status.summary.state == .done { return fetch(job, status) }
          if status.summary.state.isTerminal { return .failed(status) }
        default: break
        }
        // Returns at the next event, or soon enough to see progress: after a tenth of a second, since
        // the coordinator answers two tenths before the caller gives up.
        let outcome = try client.call(
          .events(EventsRequest(after: position, job: nil)), patience: .milliseconds(300),
          grace: .seconds(1), isCancelled: isStopping)
        if case .success(.events(let reply)) = outcome {
          position = reply.next
          if !reply.events.isEmpty { tell(.events(reply.events)) }
        }
      } catch {
        // A coordinator that doesn't answer is one of the faults.
      }
    }
    return .stopped
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
