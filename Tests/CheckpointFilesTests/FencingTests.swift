import CheckpointFiles
import Checksums
import Glibc
import MeshCore
import Testing

struct FencingTests {
  private let states = States()
  private let newer = Epoch(term: 3, counter: 10)

  @Test("the holder of an old epoch writes no more once a newer one has its file")
  func staleWrite() throws {
    let scratch = try ScratchDirectory()
    let old = try states.makeFile(in: scratch)
    let new = try scratch.checkpoints.create(states.identity, epoch: newer)
    #expect(throws: CheckpointError.stale(newer)) { try states.write(4, to: old) }
    #expect(throws: CheckpointError.stale(newer)) {
      try scratch.checkpoints.create(states.identity, epoch: States.epoch)
    }
    // The new holder has nothing yet, and restores what the old one left.
    #expect(try states.restoredGeneration(from: scratch) == 3)
    try states.write(1, to: new)
    #expect(try states.restoredGeneration(from: scratch) == 1)
  }

  @Test("a higher term is a newer epoch, whatever the counter")
  func term() throws {
    let scratch = try ScratchDirectory()
    let old = try states.makeFile(in: scratch)
    _ = try scratch.checkpoints.create(states.identity, epoch: Epoch(term: 4, counter: 0))
    #expect(throws: CheckpointError.stale(Epoch(term: 4, counter: 0))) {
      try states.write(4, to: old)
    }
  }

  @Test("epochs of other virtual ranks and jobs, and files still being made, fence nobody")
  func others() throws {
    let scratch = try ScratchDirectory()
    let file = try states.makeFile(in: scratch)
    for name in [
      "000000000000abcd0000000000000007-50-9-9-0.amck",
      "000000000000abcd0000000000000007-6-9-9-0.amck",
      "000000000000abcd0000000000000008-5-9-9-0.amck",
      "000000000000abcd0000000000000007-5-9-9-0.amck.partial",
      "000000000000abcd0000000000000007-5-09-9-0.amck",
      "000000000000abcd0000000000000007-5-+9-9-0.amck",
      "000000000000ABCD0000000000000007-5-9-9-0.amck",
      "000000000000abcd0000000000000007-5-9-9-99999999999999999999.amck",
      "000000000000abcd0000000000000007-5-9-9-0.amck~",
      "000000000000abcd0000000000000007-5--9-9-0.amck",
      "000000000000abcd0000000000000007-5-",
    ] {
      try scratch.write([], as: name)
    }
    try states.write(4, to: file)
    #expect(try states.restoredGeneration(from: scratch) == 4)
  }

  @Test("a removed file is not written any more")
  func removed() throws {
    let scratch = try ScratchDirectory()
    let file = try states.makeFile(in: scratch)
    let slot = try #require(try scratch.checkpoints.candidates(states.identity).slots.first)
    try scratch.checkpoints.remove(job: states.identity.job)
    #expect(throws: CheckpointError.stale(States.epoch)) { try states.write(4, to: file) }
    #expect(try states.read(slot) == states.parts(3), "an open slot stays readable")
    rmdir(scratch.path)
    #expect(throws: CheckpointError.stale(States.epoch)) { try states.write(4, to: file) }
  }

  @Test("removal takes older epochs, whole jobs, or what jobs before left")
  func removal() throws {
    let scratch = try ScratchDirectory()
    let other = JobID(high: 1, low: 1)
    func names(_ job: JobID, _ rest: String...) -> [String] { rest.map { "\(job)-\($0)" } }
    let mine = names(
      states.identity.job, "5-3-8-0.amck", "5-3-9-0.amck", "5-3-9-1.amck", "5-3-10-0.amck",
      "5-2-99-0.amck.partial", "6-1-1-0.amck")
    let theirs = names(other, "5-1-1-0.amck", "0-1-1-0.amck.partial")
    for name in mine + theirs + ["lock"] { try scratch.write([], as: name) }
    try scratch.checkpoints.remove(
      job: states.identity.job, vrank: states.identity.vrank, olderThan: States.epoch)
    #expect(scratch.names == ([mine[1], mine[2], mine[3], mine[5], "lock"] + theirs).sorted())
    // A worker that is late with the other job leaves what is newer alone.
    try scratch.checkpoints.remove(olderThan: Epoch(term: 1, counter: 1), except: other)
    #expect(scratch.names == ([mine[1], mine[2], mine[3], mine[5], "lock"] + theirs).sorted())
    try scratch.checkpoints.remove(olderThan: Epoch(term: 3, counter: 9), except: other)
    #expect(scratch.names == ([mine[1], mine[2], mine[3], "lock"] + theirs).sorted())
    try scratch.checkpoints.remove(
      olderThan: Epoch(term: 4, counter: 1), except: states.identity.job)
    #expect(scratch.names == [mine[1], mine[2], mine[3], "lock"].sorted())
    try scratch.checkpoints.remove(job: states.identity.job)
    #expect(scratch.names == ["lock"])
  }

  @Test("of several epochs the newest with a state is restored, however many states others have")
  func epochs() throws {
    let scratch = try ScratchDirectory()
    for counter in UInt64(1)...5 {
      let file = try scratch.checkpoints.create(
        states.identity, epoch: Epoch(term: 1, counter: counter))
      for generation in 1...(10 - counter) { try states.write(generation, to: file) }
    }
    let slots = try scratch.checkpoints.candidates(states.identity).slots
    #expect(slots.map(\.epoch.counter) == [5, 5, 4, 4, 3, 3, 2, 2], "no more than eight")
    #expect(slots.map(\.generation) == [5, 4, 6, 5, 7, 6, 8, 7])
  }
}
