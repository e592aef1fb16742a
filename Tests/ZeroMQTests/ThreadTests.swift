import CZeroMQ
import Glibc
import Testing
import ZeroMQ

private struct Observed: Sendable {
  let name: String
  let niceness: Int32
  let termBlocked: Bool
  let faultBlocked: Bool
}

private func observe() -> Observed {
  var mask = sigset_t()
  pthread_sigmask(SIG_BLOCK, nil, &mask)
  return Observed(
    name: (try? procLine("/proc/thread-self/comm")) ?? "",
    niceness: mesh_thread_priority(),
    termBlocked: sigismember(&mask, SIGTERM) == 1,
    faultBlocked: sigismember(&mask, SIGSEGV) == 1)
}

extension ZeroMQTests {
  @Suite struct Threads {
    @Test("a thread has its name, its niceness and no signals but its own faults")
    func attributes() throws {
      let mailbox = try Mailbox<Observed>(capacity: 1)
      let own = observe()
      let thread = try DedicatedThread(name: "compute-0", nice: 3) {
        _ = mailbox.post(observe())
      }
      thread.join()
      thread.join()
      let seen = try #require(mailbox.drain().first)
      #expect(seen.name == "compute-0")
      #expect(seen.niceness == own.niceness + 3)
      #expect(seen.termBlocked)
      #expect(!seen.faultBlocked)
      let after = observe()
      #expect(after.niceness == own.niceness)
      #expect(after.termBlocked == own.termBlocked)
    }

    @Test("a thread can keep its creator's signals")
    func inheritedSignals() throws {
      let mailbox = try Mailbox<Observed>(capacity: 1)
      let thread = try DedicatedThread(name: "loop", signals: .inherited) {
        _ = mailbox.post(observe())
      }
      thread.join()
      #expect(mailbox.drain().first?.termBlocked == observe().termBlocked)
    }

    @Test("the clock starts at zero and does not go back")
    func clock() {
      var last = MonotonicClock.now
      #expect(last >= .zero)
      for _ in 0..<1000 {
        let now = MonotonicClock.now
        #expect(now >= last)
        last = now
      }
    }

    @Test("opening and closing everything 200 times leaves no descriptor behind")
    func descriptors() throws {
      func cycle() throws {
        let pair = try Pair("tcp://127.0.0.1:*", context: try Context(), options())
        let monitor = try SocketMonitor(pair.dealer)
        let mailbox = try Mailbox<Int>(capacity: 1)
        #expect(mailbox.post(1))
        #expect(try monitor.next() == nil)
        let thread = try DedicatedThread(name: "cycle") { _ = mailbox.drain() }
        thread.join()
        var unusable = options()
        unusable.routingID = []
        #expect(throws: ZeroMQError.self) {
          _ = try Socket(.dealer, context: try Context(), options: unusable)
        }
      }
      try cycle()
      let before = try openDescriptors()
      for _ in 0..<200 { try cycle() }
      // Other suites of this process open descriptors meanwhile, a few at a time; a leak of one a
      // cycle would be two hundred.
      #expect(try openDescriptors() < before + 100)
    }
  }
}
