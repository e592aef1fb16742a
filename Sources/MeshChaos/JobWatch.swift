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
        let session = JobSession(
          inputs: inputs, directory: directory,
          isStopping: { flags.isStopping.load(ordering: .relaxed) },
          tell: { _ = news.post($0) })
        _ = news.post(.over(session.run(endpoint: endpoint, workers: workers)))
      }
    } catch {
      throw MeshError(.jobFailed, "no thread: \(error.description)")
    }
  }

  func stop() {
    flags.isStopping.store(true, ordering: .relaxed)
    thread.join()
  }
}
