import Foundation
import Testing

extension Integration {
  /// What one can ask a mesh, and what it refuses.
  @Suite struct MeshQueries {
    private func smallInputs(_ scratch: Scratch, tokens: Int = 601) throws -> [String] {
      try JobTensors.fixture(heads: 3, keyHeads: 1, tokens: tokens).write(to: scratch)
        + ["--mask", "causal"]
    }

    @Test func everythingThatPrintsJSONCanBeParsed() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let flags = try smallInputs(scratch)
        let follower = try scratch.start(["events", "--follow", "--json"] + mesh.flags)
        let submitted = try jsonObject(mesh.output(["submit", "--json", "--quiet"] + flags))
        let job = try #require(submitted["job"] as? String)
        #expect((submitted["disk_bytes"] as? Int ?? 0) > 0)
        let followed = try jsonLines(mesh.output(["job", job, "--follow", "--json"]))
        let last = followed.last?["summary"] as? [String: Any]
        #expect(last?["state"] as? String == "done")
        let status = try mesh.status(job)
        #expect((status["output_digest"] as? String)?.count == 64)
        let ranks = try #require(status["ranks"] as? [[String: Any]])
        #expect(ranks.allSatisfy { $0["final"] as? Bool == true })
        let jobs = try json(mesh.output(["jobs", "--json"])) as? [[String: Any]]
        #expect(jobs?.map { $0["job"] as? String } == [job])
        let workers = try json(mesh.output(["workers", "--json"])) as? [[String: Any]]
        #expect(workers?.compactMap { $0["name"] as? String } == ["w1", "w2"])
        let events = try jsonLines(mesh.output(["events", "--json"]))
        let kinds = events.compactMap { $0["kind"] as? String }
        for kind in ["worker-joined", "job-submitted", "job-queued", "job-started", "job-done"] {
          #expect(kinds.contains(kind), "\(kind) is not in \(kinds)")
        }
        #expect(events.compactMap { $0["sequence"] as? Int } == Array(1...events.count))
        let own = try jsonLines(mesh.output(["events", "--json", "--job", job]))
        #expect(own.allSatisfy { $0["job"] as? String == job } && !own.isEmpty)
        let fetched = try jsonObject(
          mesh.output(["result", job, "--json", "--output", scratch.file("o.npy")]))
        #expect(fetched["job"] as? String == job)
        #expect(fetched["output_digest"] as? String == status["output_digest"] as? String)
        let cancelled = try jsonObject(mesh.output(["cancel", job, "--yes", "--json"]))
        #expect((cancelled["summary"] as? [String: Any])?["state"] as? String == "done")
        // Told as it happens, not when a buffer is full.
        try eventually("the news") { follower.output.contains("\"job-done\"") }
        follower.signal(SIGINT)
        #expect(try follower.wait() == .code(130))
        #expect(try jsonLines(follower.output).count == events.count)
      }
    }

    @Test func checksPrintJSON() throws {
      try withScratch { scratch in
        let flags = try smallInputs(scratch, tokens: 90)
        _ = try scratch.attend(flags, name: "o")
        let check = ["check", "--json", "--output", scratch.file("o.npy")]
        let equal = try scratch.run(check + ["--lse", scratch.file("o-lse.npy")] + flags)
        #expect(try equal.wait() == .code(0))
        let found = try jsonObject(equal.output)
        #expect(found["equal"] as? Bool == true && found["violations"] as? [String] == [])
        #expect(found["heads"] as? Int == 3 && found["rows_per_head"] as? Int == 64)
        for name in ["error", "naive_error", "log_sum_exp_error"] {
          #expect(found[name] as? Double != nil, "\(name)")
        }
        // Of another job.
        let other = try scratch.run(check + flags.dropLast(2))
        #expect(try other.wait() == .code(1))
        let failed = try jsonObject(other.output)
        #expect(failed["equal"] as? Bool == false && failed["log_sum_exp_error"] == nil)
        #expect((failed["violations"] as? [String])?.isEmpty == false)
        #expect(try jsonObject(other.errors)["kind"] as? String == "job_failed")
      }
    }

    /// A follower's lines arrive while the job waits.
    @Test func followedJobIsPrintedAtOnce() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let job = try mesh.submit(smallInputs(scratch))
        let follower = try scratch.start(["job", job, "--follow", "--json"] + mesh.flags)
        let plain = try scratch.start(["job", job, "--follow"] + mesh.flags)
        try eventually("the first lines") { follower.output.contains("\n") }
        try eventually("the state") { plain.output.contains("queued\n") }
        follower.signal(SIGINT)
        #expect(try follower.wait() == .code(130))
        #expect(try mesh.state(job) == "queued", "looking away cancelled the job")
        try mesh.output(["cancel", job, "--yes"])
        #expect(try plain.wait() == .code(1))
      }
    }

    @Test func tablesForPeople() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        #expect(try mesh.output(["workers"]) == "no workers\n")
        #expect(try mesh.output(["jobs"]) == "no jobs\n")
        try mesh.startWorker("w1")
        let job = try mesh.submit(smallInputs(scratch))
        _ = try mesh.result(job)
        #expect(try mesh.output(["jobs"]).contains(job))
        #expect(try mesh.output(["workers"]).contains("w1"))
        #expect(try mesh.output(["job", job]).contains("sha256"))
        #expect(try mesh.output(["events"]).contains("job-done job=\(job)"))
      }
    }

    @Test func jobsAreFoundByTheBeginningOfTheirId() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1)
        let job = try mesh.submit(smallInputs(scratch))
        for length in [4, 8, 31] {
          #expect(try mesh.summary(String(job.prefix(length)))["job"] as? String == job)
        }
        #expect(try mesh.summary(job.prefix(6).uppercased())["job"] as? String == job)
        expectRefusal(try mesh.run(["job", String(job.prefix(3))]), code: 2, "attnmesh jobs")
        expectRefusal(try mesh.run(["job", "nonsense"]), code: 2, "nonsense")
        let other = job.first == "0" ? "1111" : "0000"
        expectRefusal(try mesh.run(["job", other]), code: 2, "no job begins with \(other)")
      }
    }

    @Test func resultOfWhatHasNone() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0)
        let flags = try smallInputs(scratch)
        let output = ["--output", scratch.file("o.npy")]
        let unknown = String(repeating: "0", count: 31) + "7"
        for command in [
          ["result", unknown] + output, ["job", unknown], ["cancel", unknown, "--yes"],
        ] {
          expectRefusal(try mesh.run(command), code: 2, "no job \(unknown)")
        }
        let cancelled = try mesh.submit(flags)
        #expect(try mesh.output(["cancel", cancelled, "--yes"]).contains("is cancelled"))
        #expect(try mesh.output(["cancel", cancelled, "--yes"]).contains("is cancelled"))
        expectRefusal(
          try mesh.run(["result", cancelled] + output), code: 1, "cancelled by", cancelled)
        let late = try mesh.submit(flags + ["--deadline", "0.3"])
        let result = try mesh.run(["result", late] + output)
        expectRefusal(
          result, code: 1, late, "waits for workers",
          "failed: its deadline of 0.3 s passed while it was queued", notices: 1)
        #expect(!scratch.exists("o.npy"))
      }
    }

    /// Cancelled in mid-run: its client is told, and the next job runs.
    @Test func cancelledJobMakesRoom() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let large = try writeLargeInputs(to: scratch)
        let client = try scratch.start(
          ["attend", "--quiet", "--output", scratch.file("o.npy")] + large + mesh.flags)
        let job = try eventually("the job") {
          mesh.observed("job-submitted").first?.firstMatch(of: /job=([0-9a-f]+)/)
            .map { String($0.1) }
        }
        try mesh.waitUntilFolding(job)
        try mesh.output(["cancel", job, "--yes"])
        expectRefusal(client, code: 1, "cancelled by")
        let flags = try smallInputs(scratch)
        #expect(try mesh.result(mesh.submit(flags)) == scratch.attend(flags, name: "alone"))
        #expect(!scratch.exists("o.npy"))
      }
    }

    /// Ctrl-C of a remote attend cancels what nobody will fetch.
    @Test func interruptedClientCancelsItsJob() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 2)
        let client = try scratch.start(
          ["attend", "--quiet", "--output", scratch.file("o.npy")] + writeLargeInputs(to: scratch)
            + mesh.flags)
        let job = try eventually("the job") {
          mesh.observed("job-submitted").first?.firstMatch(of: /job=([0-9a-f]+)/)
            .map { String($0.1) }
        }
        try mesh.waitUntilFolding(job)
        client.signal(SIGINT)
        expectRefusal(client, code: 130, "interrupted", job)
        #expect(try mesh.state(job) == "cancelled")
        #expect(!scratch.exists("o.npy"))
      }
    }
  }
}
