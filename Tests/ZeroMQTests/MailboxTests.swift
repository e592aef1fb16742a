import Glibc
import Testing
import ZeroMQ

extension ZeroMQTests {
  @Suite struct Mailboxes {
    @Test("a full mailbox refuses and a drained one accepts again")
    func bounded() throws {
      let mailbox = try Mailbox<Int>(capacity: 3)
      #expect((0..<5).map { mailbox.post($0) } == [true, true, true, false, false])
      #expect(mailbox.drain() == [0, 1, 2])
      #expect(mailbox.drain() == [])
      #expect(mailbox.post(7))
      #expect(mailbox.drain() == [7])
    }

    @Test("every event that was accepted from many threads arrives, in each thread's order")
    func manyThreads() throws {
      let mailbox = try Mailbox<(thread: Int, number: Int)>(capacity: 64)
      let (threadCount, each) = (8, 5_000)
      let threads = try (0..<threadCount).map { thread in
        try DedicatedThread(name: "poster-\(thread)") {
          for number in 0..<each {
            while !mailbox.post((thread, number)) { sched_yield() }
          }
        }
      }
      var poller = Poller()
      poller.watch(mailbox)
      var next = [Int](repeating: 0, count: threadCount)
      let deadline = MonotonicClock.now + patience
      while next != [Int](repeating: each, count: threadCount) {
        try #require(MonotonicClock.now < deadline, "a wake-up was lost")
        try poller.wait(upTo: patience)
        let events = mailbox.drain()
        #expect(events.count <= mailbox.capacity)
        for event in events {
          #expect(event.number == next[event.thread])
          next[event.thread] = event.number + 1
        }
      }
      for thread in threads { thread.join() }
      #expect(mailbox.drain().isEmpty)
    }

    @Test("a poller tells sockets and mailboxes apart and forgets what it is told to")
    func poller() throws {
      let context = try Context()
      let pair = try Pair("inproc://poller", context: context)
      let mailbox = try Mailbox<Int>(capacity: 1)
      var poller = Poller()
      poller.watch(pair.router)
      poller.watch(mailbox)
      #expect(try poller.wait(upTo: .zero) == 0)
      #expect(mailbox.post(1))
      #expect(try poller.wait(upTo: patience) == 1)
      #expect(poller.readiness(of: mailbox) == .readable)
      #expect(poller.readiness(of: pair.router) == [])

      try pair.dealer.sendWhenWritable("now")
      #expect(try poller.wait(upTo: patience) == 2)
      poller.forget(mailbox)
      #expect(try poller.wait(upTo: patience) == 1)
      #expect(poller.readiness(of: mailbox) == [])
      #expect(poller.readiness(of: pair.router) == .readable)
      poller.watch(pair.router, for: [.readable, .writable])
      #expect(poller.count == 1)
      #expect(try poller.wait(upTo: patience) == 1)
      #expect(poller.readiness(of: pair.router) == [.readable, .writable])
    }
  }
}
