internal import MeshRuntime
internal import Synchronization
internal import ZeroMQ

/// A thread that does one thing over and over until it is told to end.
final class Repetition: Sendable {
  private final class Flag: Sendable {
    let isSet = Atomic<Bool>(false)
  }

  private let end: Flag
  private let thread: DedicatedThread

  /// - Parameters:
  ///   - nice: 10, as compute threads are, for work that is to have its share and no more.
  ///   - ending: done when it is over.
  init(
    name: String, nice: Int = 0, ending: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable () -> Void
  ) throws(MeshError) {
    let end = Flag()
    do throws(ZeroMQError) {
      thread = try DedicatedThread(name: name, nice: nice) {
        while !end.isSet.load(ordering: .relaxed) { body() }
        ending()
      }
    } catch {
      throw MeshError(.jobFailed, "no thread: \(error.description)")
    }
    self.end = end
  }

  func stop() {
    end.isSet.store(true, ordering: .relaxed)
    thread.join()
  }
}
