import Foundation
import Testing

extension Integration {
  /// What an operator finds again: jobs, results, events and workers that have gone.
  @Suite struct Keeping {
    private func inputs(_ scratch: Scratch) throws -> [String] {
      try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: 300).write(to: scratch)
    }

    private func jobs(_ mesh: Mesh, _ flags: [String] = []) throws -> [[String: Any]] {
      try json(mesh.output(["jobs", "--json"] + flags)) as? [[String: Any]] ?? []
    }

    @Test func namesStatesAndRemoval() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let flags = try inputs(scratch)
        let first = try mesh.submit(flags + ["--name", "first one", "--deadline", "5000"])
        let second = try mesh.submit(flags)
        try mesh.output(["cancel", second, "--yes"])
        let listed = try jobs(mesh)
        #expect(listed.map { $0["job"] as? String } == [second, first])
        #expect(listed[1]["name"] as? String == "first one")
        let submitted = try #require(listed[1]["submitted_at"] as? String)
        #expect(submitted.hasSuffix("Z") && listed[1]["deadline_at"] as? String ?? "" > submitted)
        #expect(listed[1]["result"] as? String == "none" && listed[0]["deadline_at"] == nil)
        let table = try mesh.output(["jobs", "--limit", "1"])
        #expect(table.contains(second) && table.contains("… and 1 older\n"))
        #expect(try jobs(mesh, ["--state", "queued,running"]).count == 1)
        expectRefusal(
          try mesh.run(["jobs", "--state", "odd"]), code: 2, "--state odd: it is uploading")
        expectRefusal(try mesh.run(["jobs", "--limit", "0"]), code: 2, "--limit 0")
        let named = try mesh.output(["job", String(first.prefix(8))])
        #expect(named.contains("name     first one") && named.contains("deadline 2"))
        expectRefusal(
          try mesh.run(["submit", "--name", "a\nb"] + flags), code: 2,
          "--name a�b: it has characters")
        expectRefusal(try mesh.run(["remove", second]), code: 2, "remove 1 job", "add --yes")
        expectRefusal(try mesh.run(["remove", first, "--yes"]), code: 2, "cancel it first")
        #expect(try mesh.output(["remove", second, "--yes"]) == "job \(second) is removed\n")
        expectRefusal(try mesh.run(["job", second]), code: 2, "no job \(second)")
        try mesh.output(["cancel", first, "--yes"])
        #expect(
          try mesh.output(["remove", "--older-than", "1h", "--yes"]) == "no job is that old\n")
        let removed = try jsonObject(
          mesh.output(["remove", "--older-than", "0s", "--yes", "--json"]))
        #expect(removed["removed"] as? [String] == [first])
        #expect(try mesh.output(["jobs"]) == "no jobs\n")
      }
    }

    @Test func waitingForAJob() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let flags = try inputs(scratch)
        let job = try mesh.submit(flags)
        for timeout in ["0", "0.2"] {
          let late = try mesh.run(["wait", job, "--timeout", timeout])
          let texts = late.errorLines.filter { !$0.contains("waits for workers") }
          #expect(try late.wait() == .code(124))
          #expect(texts.count == 1, "\(texts)")
          #expect(texts.last?.contains("job \(job) is queued after --timeout") == true)
          #expect(texts.last?.contains("it goes on") == true, "\(texts)")
        }
        let waiting = try scratch.start(["wait", job, "--json"] + mesh.flags)
        try mesh.startWorker("w1")
        #expect(try waiting.wait() == .code(0))
        let summary = try jsonObject(waiting.output)["summary"] as? [String: Any]
        #expect(summary?["state"] as? String == "done")
        #expect(try mesh.output(["wait", job, "--timeout", "0"]) == "job \(job) is done\n")
        try mesh.output(["cordon", "w1"])
        let cancelled = try mesh.submit(flags)
        let other = try scratch.start(["wait", cancelled] + mesh.flags)
        try mesh.output(["cancel", cancelled, "--yes"])
        #expect(try other.wait() == .code(1))
        #expect(other.errors.contains("job \(cancelled) is cancelled: cancelled by"))
        expectRefusal(
          try mesh.run(["wait", job, "--timeout=-1"]), code: 2, "--timeout")
      }
    }

    /// What happened before a restart is told after it, with the time of day.
    @Test func eventsOutliveTheCoordinator() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 1)
        let job = try mesh.submit(inputs(scratch))
        _ = try mesh.result(job)
        let follower = try scratch.start(
          ["events", "--follow", "--json", "--kind", "coordinator-restarted,job-discarded"]
            + mesh.flags)
        try eventually("events on disk") { try mesh.events("job-done").count == 1 }
        let before = try jsonLines(mesh.output(["events", "--json"]))
        mesh.coordinator.signal(SIGTERM)
        try mesh.coordinator.wait()
        try mesh.restartCoordinator()
        try eventually("the worker") { try mesh.workerNames() == ["w1"] }
        let after = try jsonLines(mesh.output(["events", "--json"]))
        #expect(after.count > before.count)
        #expect(after.compactMap { $0["sequence"] as? Int } == Array(1...after.count))
        for (old, new) in zip(before, after) {
          for key in ["sequence", "kind", "time", "detail"] {
            #expect("\(old[key] ?? "")" == "\(new[key] ?? "-")")
          }
        }
        #expect((after[0]["seconds"] as? Double ?? 1) < 0, "of an earlier coordinator")
        try mesh.output(["result", job, "--discard", "--quiet", "--output", scratch.file("o.npy")])
        try eventually("the news") { follower.output.contains("job-discarded") }
        #expect(try jsonLines(follower.output).count == 2)
        let gone = try mesh.run(["result", job, "--output", scratch.file("p.npy")])
        expectRefusal(gone, code: 2, "no longer kept: it was discarded by ", " at 2")
        let time = try #require(after.last?["time"] as? String)
        let since = try jsonLines(
          mesh.output(["events", "--json", "--since", time, "--kind", "job-discarded,job-done"]))
        #expect(since.compactMap { $0["kind"] as? String } == ["job-discarded"])
        #expect(try mesh.output(["events", "--since", "1h"]).contains(" job-done job=\(job)"))
        let late = try mesh.run(["events", "--since", "2100-01-01"])
        #expect(try late.wait() == .code(0) && late.output == "")
        #expect(late.errorLines.count == 1)
        for text in ["as new as 2100-01-01T00:00:00Z", "newest event is of 20", "clock says 20"] {
          #expect(late.errors.contains(text), "\(late.errors)")
        }
        expectRefusal(
          try mesh.run(["events", "--kind", "worker-lots"]), code: 2,
          "--kind worker-lots: there is none of that name; did you mean worker-lost? --help")
        #expect(try mesh.output(["events", "--since", "0s"]) == "")
        expectRefusal(try mesh.run(["events", "--since", "2026-02-30"]), code: 2, "a time in UTC")
        expectRefusal(try mesh.run(["events", "--kind", "odd"]), code: 2, "--help lists all")
      }
    }

    @Test func damagedEventsArePutAside() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 0)
        try mesh.killCoordinator()
        for suffix in ["-wal", "-shm"] { unlink(scratch.file("store/events.sqlite\(suffix)")) }
        try Data(repeating: 0x41, count: 9_000).write(
          to: URL(filePath: scratch.file("store/events.sqlite")))
        try mesh.restartCoordinator()
        let alarms = try mesh.events("store-alarm")
        #expect((alarms.first?["detail"] as? String)?.contains("events.damaged") == true)
        #expect(scratch.exists("store/events.damaged"))
      }
    }

    @Test func workersLostWhileNoCoordinatorIsThereAreTold() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 2)
        try eventually("events on disk") { try mesh.events("worker-joined").count == 2 }
        mesh.coordinator.signal(SIGTERM)
        try mesh.coordinator.wait()
        try mesh.kill("w2")
        try mesh.restartCoordinator()
        try eventually("the loss") { try mesh.worker("w2")?["standing"] as? String == "lost" }
        let events = try mesh.events("worker-lost")
        #expect(events.count == 1)
        #expect((events.first?["detail"] as? String)?.hasPrefix("it did not come back") == true)
        try eventually("the other one") { try mesh.workerNames() == ["w1"] }
      }
    }

    @Test func lostWorkersAreTold() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        try mesh.kill("w2")
        try eventually("the loss") { try mesh.worker("w2")?["standing"] as? String == "lost" }
        let lost = try #require(try mesh.worker("w2"))
        #expect((lost["lost_at"] as? String)?.hasSuffix("Z") == true)
        #expect((lost["lost_reason"] as? String)?.isEmpty == false)
        #expect(try mesh.output(["workers"]).contains("lost at 2"))
        #expect(try mesh.workerNames() == ["w1"])
        try mesh.startWorker("w2")
        #expect(try mesh.worker("w2")?["standing"] as? String == "active")
      }
    }

    /// In the order of the manual: the journal, then the jobs' files; and the other way round. A result
    /// that comes late is found.
    @Test func resultsThatComeLate() throws {
      try withScratch { scratch in
        let mesh = try Mesh.withStore(scratch, workers: 1)
        let job = try mesh.submit(inputs(scratch))
        let first = try mesh.result(job)
        // A name alone, in the directory where it is said.
        let backup = try scratch.run(["coordinator", "backup", "b1", "--store", "store"])
        #expect(backup.output.contains("now copy the directories of jobs"))
        #expect(try backup.wait() == .code(0) && scratch.exists("b1"))
        let restore = try scratch.run(["coordinator", "restore", "b1", "--store", "new"])
        #expect(try restore.wait() == .code(0))
        #expect(restore.output.contains("results to be put back now or later:\n  new/\(job)\n"))
        let other = try Mesh(
          scratch, workers: 0, port: TCPProxy.freePort(beside: 1),
          coordinatorFlags: ["--store", scratch.file("new")])
        let summary = try other.summary(job)
        #expect(summary["state"] as? String == "done" && summary["result"] as? String == "missing")
        expectRefusal(
          try other.run(["result", job, "--output", scratch.file("o.npy")]), code: 2,
          "put \(scratch.file("new"))/\(job) back")
        #expect(!scratch.exists("o.npy"))
        try FileManager.default.copyItem(
          atPath: scratch.file("store/\(job)"), toPath: scratch.file("new/\(job)"))
        #expect(try other.result(job, name: "late") == first)
        #expect(try other.summary(job)["result"] as? String == "kept")
        #expect(try other.events("result-missing").count == 1)
        #expect(try other.events("result-found").count == 1)
      }
    }
  }
}
