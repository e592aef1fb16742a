import MeshCore
import Testing

/// What is decided is on disk before anybody hears of it.
@Suite struct CommitTests {
  /// Effects that tell somebody of a change: everything but what is observed, asked to be written, or
  /// a sign of life.
  private func telling(_ effects: [Coordinator.Effect]) -> [Coordinator.Effect] {
    effects.filter { effect in
      switch effect {
      case .observe, .commit: return false
      case .send(let message, _):
        switch message {
        case .beat, .welcome, .introduce, .refused, .drain, .cordon: return false
        case .assign, .release, .leave: return true
        }
      case .reply, .store: return true
      }
    }
  }

  /// Slow disk: a commit takes until `commit()`.
  private func slow() throws -> (CoordinatorHarness, JobID, Assignment) {
    let (mesh, job, table) = try #require(CoordinatorHarness.running())
    mesh.commitsAtOnce = false
    return (mesh, job, table)
  }

  @Test("a submit reaches the store, and its caller, only when it is on disk")
  func submit() throws {
    let mesh = CoordinatorHarness()
    mesh.commitsAtOnce = false
    #expect(mesh.submit(id: 1) == nil)
    #expect(telling(mesh.effects).isEmpty)
    let image = try #require(mesh.pending?.images.first)
    #expect(image.state == .uploading && image.request == mesh.ticket(1).request)
    mesh.commit()
    guard case .create(let job, _, _)? = mesh.commands.first else {
      Issue.record("no room is made")
      return
    }
    #expect(mesh.commands.count == 1 && job == image.job)
    mesh.send(.store(.created(job)))
    #expect(mesh.reply(to: 1)?.submitted?.job == job)
  }

  @Test("a new table leaves only when it is on disk, and then to everybody at once")
  func rehost() throws {
    let (mesh, _, table) = try slow()
    mesh.cut(2)
    #expect(telling(mesh.effects).isEmpty)
    let written = try #require(mesh.pending?.images.first?.run?.table)
    #expect(written.ranks(of: 2).isEmpty && written.revision > table.revision)
    // Whoever asks meanwhile gets a sign of life and not the table, old or new.
    mesh.beat(1)
    #expect(mesh.sent(to: 1) == [.beat(term: 3)])
    mesh.commit()
    #expect(mesh.sent(to: 1) == [.assign(written, term: 3)])
    guard case .fence(let fence)? = mesh.commands.first else {
      Issue.record("the store isn't fenced")
      return
    }
    #expect(fence == written)
    mesh.beat(1)
    #expect(mesh.sent(to: 1) == [.beat(term: 3), .assign(written, term: 3)])
  }

  @Test("a rank is acknowledged as final only when that is on disk")
  func finalRank() throws {
    let (mesh, job, table) = try slow()
    mesh.send(.store(.stored(job, VRank(0), table.hosts[0].epoch)))
    #expect(telling(mesh.effects).isEmpty)
    #expect(mesh.pending?.images.first?.run?.isFinal.first == true)
    mesh.commit()
    guard case .acknowledge(job, VRank(0), _)? = mesh.commands.first else {
      Issue.record("not acknowledged")
      return
    }
  }

  @Test("what is decided while a commit is under way goes into the next one, in order")
  func twoCommits() throws {
    let (mesh, job, table) = try slow()
    mesh.join(3)
    let first = try #require(mesh.pending)
    mesh.cut(2)
    mesh.send(.store(.stored(job, VRank(0), table.hosts[0].epoch)))
    #expect(mesh.pending?.number == first.number, "one at a time")
    mesh.commit()
    let second = try #require(mesh.pending)
    #expect(second.number == first.number + 1)
    #expect(telling(mesh.effects).count > 0)
    // Everything that left was in the first commit.
    for case .send(.assign(let sent, _), _) in mesh.effects {
      let written = try #require(first.images.first?.run?.table.revision)
      #expect(sent.revision <= written)
    }
    #expect(mesh.commands.allSatisfy { if case .acknowledge = $0 { false } else { true } })
    mesh.commit()
    #expect(mesh.commands.contains { if case .acknowledge = $0 { true } else { false } })
    #expect(mesh.assigned == second.images.first?.run?.table)
    #expect(mesh.pending == nil)
  }

  @Test("a call that changes something is answered when that is on disk; one that looks, at once")
  func replies() throws {
    let (mesh, job, _) = try slow()
    #expect(mesh.call(.cancel(job), id: 7) == nil)
    // An end that isn't on disk would not have happened after a crash: it isn't told.
    #expect(mesh.call(.status(job), id: 8)?.status?.summary.state == .running)
    // A retry waits as well.
    #expect(mesh.call(.cancel(job), id: 7) == nil)
    mesh.commit()
    let replies = mesh.effects.count { if case .reply = $0 { true } else { false } }
    #expect(mesh.reply(to: 7)?.status?.summary.state == .cancelled && replies == 2)
    #expect(mesh.released(job) == [1, 2])
    #expect(mesh.state(job) == .cancelled)
  }

  @Test("while the disk fails nothing leaves, submits are UNAVAILABLE, and the alarm is told once")
  func failingDisk() throws {
    let (mesh, job, _) = try slow()
    mesh.step = .zero
    mesh.cut(2)
    let written = mesh.pending?.images
    let number = mesh.pending?.number
    let refused = CallRequest.submit(
      SubmitRequest(spec: sampleJob(queries: 10), deadlineSeconds: 0))
    for round in 0..<5 {
      mesh.failCommit()
      #expect(telling(mesh.effects).isEmpty && mesh.pending == nil)
      #expect(mesh.call(refused, id: 9)?.code == .resourceExhausted)
      #expect(mesh.call(.cancel(job))?.code == .resourceExhausted, "its reply would wait, too")
      #expect(mesh.reason(job) == "waits until the coordinator's state can be written")
      // Not before its time, and then with all of it again.
      mesh.now += Limits.commitRetryInterval - .milliseconds(1)
      mesh.beat(1, job: job)
      mesh.send(.tick)
      #expect(mesh.pending == nil && telling(mesh.effects).isEmpty, "round \(round)")
      mesh.now += .milliseconds(1)
      mesh.send(.tick)
      #expect(mesh.pending?.number == number)
      #expect(mesh.pending?.images.map(\.run?.table) == written?.map(\.run?.table))
      #expect(mesh.call(refused, id: 9)?.code == .resourceExhausted, "it hasn't taken anything yet")
    }
    #expect(mesh.observed(.storeAlarm).count == 1)
    mesh.commit()
    #expect(mesh.assigned == written?.first?.run?.table)
    #expect(mesh.state(job) == .running && mesh.reason(job) == "")
    // Now it is let in, under the id that was refused.
    mesh.commitsAtOnce = true
    #expect(mesh.call(refused, id: 9) == nil && mesh.commands.count == 1)
    mesh.commitsAtOnce = false
    mesh.call(.cancel(job))
    mesh.failCommit()
    #expect(mesh.observed(.storeAlarm).count == 2, "another failure is told again")
  }

  @Test("what was held while the disk failed leaves in the order in which it was decided")
  func orderAfterFailure() throws {
    let (mesh, job, table) = try slow()
    for vrank in 0..<3 {
      mesh.send(.store(.stored(job, VRank(vrank), table.hosts[vrank].epoch)))
    }
    mesh.failCommit()
    mesh.cut(2)
    for vrank in 0..<3 {
      mesh.send(.store(.stored(job, VRank(vrank), table.hosts[vrank].epoch)))
    }
    mesh.now += Limits.commitRetryInterval
    mesh.send(.tick)
    mesh.commit()
    var names: [String] = []
    for effect in mesh.effects {
      switch effect {
      case .store(.acknowledge(_, let vrank, _)): names.append("acknowledge \(vrank)")
      case .store(.fence): names.append("fence")
      case .send(.assign, let worker): names.append("assign \(worker.incarnation)")
      default: break
      }
    }
    #expect(
      names == [
        "acknowledge 0", "acknowledge 1", "acknowledge 2", "fence", "assign 1", "acknowledge 0",
        "acknowledge 1", "acknowledge 2",
      ])
  }

  @Test("words of commits that aren't under way change nothing")
  func strangeNumbers() throws {
    let (mesh, _, _) = try slow()
    for number in [UInt64.min, 1, 99, .max] {
      mesh.send(.committed(number))
      #expect(mesh.effects.isEmpty)
    }
    mesh.cut(2)
    let number = try #require(mesh.pending?.number)
    for strange in [UInt64.min, number - 1, number + 1, .max] {
      mesh.send(.committed(strange))
      #expect(telling(mesh.effects).isEmpty)
      mesh.send(.commitFailed(strange, reason: "strange"))
      #expect(telling(mesh.effects).isEmpty)
    }
    mesh.commit()
    #expect(mesh.assigned != nil)
  }

  @Test("an end is an event when it is on disk: whoever waited for it finds it when it asks")
  func endsAreTold() throws {
    let (mesh, job, _) = try slow()
    mesh.call(.cancel(job), id: 7)
    #expect(mesh.observed(.jobCancelled).isEmpty)
    #expect(mesh.state(job) == .running)
    let told = mesh.call(.events(EventsRequest(after: 0, job: job)))?.events
    let last = try #require(told?.next)
    #expect(mesh.call(.events(EventsRequest(after: last, job: job)), id: 8) == nil)
    mesh.commit()
    #expect(mesh.observed(.jobCancelled).map(\.job) == [job])
    #expect(mesh.reply(to: 8)?.events?.events.last?.observation.kind == .jobCancelled)
    #expect(mesh.state(job) == .cancelled)
  }

  @Test("a submit that can't be written never was: its client hears why, and nothing of it is left")
  func fullDiskAtSubmit() throws {
    let mesh = CoordinatorHarness()
    mesh.commitsAtOnce = false
    mesh.step = .zero
    #expect(mesh.submit(id: 1) == nil)
    mesh.failCommit()
    let answer = try #require(mesh.reply(to: 1))
    #expect(answer.code == .resourceExhausted && answer.message.contains("the disk is full"))
    #expect(telling(mesh.effects).count == 1)
    guard case .success(.jobs(let page)) = mesh.call(.list()) else {
      Issue.record("no list")
      return
    }
    #expect(page.jobs.isEmpty)
    // Until the disk takes something nothing new is taken, and the reason is told.
    #expect(mesh.submit(id: 2) == nil)
    #expect(mesh.reply(to: 2)?.message.contains("the disk is full") == true)
    // It is tried again by itself, also though there is nothing to write.
    mesh.now += Limits.commitRetryInterval
    mesh.send(.tick)
    #expect(mesh.pending?.images.isEmpty == true)
    mesh.failCommit()
    mesh.now += Limits.commitRetryInterval
    mesh.send(.tick)
    mesh.commit()
    #expect(mesh.disk.isEmpty && telling(mesh.effects).isEmpty)
    #expect(mesh.submit(id: 1) == nil)
    mesh.commit()
    #expect(mesh.commands.count == 1 && mesh.disk.count == 1)
  }

  @Test("whatever happens, what leaves was on disk: tables, final ranks, ends", arguments: 1...6)
  func neverAhead(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let (mesh, job, _) = try slow()
    func event(_ number: Int) {
      let worker = UInt64(1 + random.below(4))
      let vrank = random.below(6)
      switch number {
      case 0: mesh.cut(worker)
      case 1, 2: mesh.join(worker)
      case 3 where random.below(4) == 0: mesh.call(.drain("worker-\(worker)"))
      case 4 where random.below(4) == 0:
        let epoch = mesh.disk[job]?.run?.table.hosts[vrank].epoch ?? .lowest
        mesh.send(.store(.stored(job, VRank(vrank), epoch)))
      case 5, 6: mesh.commit()
      case 7 where random.below(3) == 0: mesh.failCommit()
      case 8: mesh.report(worker, job: job, next: 1, copied: 1, isHandedOver: true)
      default:
        mesh.now += .milliseconds(50)
        mesh.send(.tick)
      }
    }
    for step in 0..<3_000 {
      event(random.below(10))
      let image = try #require(mesh.disk[job])
      for effect in mesh.effects {
        switch effect {
        case .send(.assign(let table, _), _):
          let written = try #require(image.run?.table)
          #expect(table.revision <= written.revision, "step \(step)")
        case .store(.acknowledge(_, let vrank, _)):
          #expect(image.run?.isFinal[vrank.index] == true, "step \(step)")
        case .store(.fence(let table)):
          let written = try #require(image.run?.table)
          #expect(
            zip(table.hosts, written.hosts).allSatisfy { $0.epoch <= $1.epoch }, "step \(step)")
        default: break
        }
      }
      if image.state.isTerminal { return }
    }
  }
}
