import Glibc
import Testing

extension Integration {
  /// Health, metrics and what the live page asks for.
  @Suite struct HTTP {
    private static let flags = ["--http", "127.0.0.1:0"]
    /// What a name may be, as long as it is on one line.
    private static let hostile = #"w"1\n{}<img src=x onerror=alert(1)>&'"#

    @Test func answersOfACoordinator() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 1, coordinatorFlags: Self.flags)
        try mesh.startWorker(Self.hostile)
        let client = try HTTPClient(mesh.coordinator)
        #expect(try client.get("/healthz").body == "ok\n")
        #expect(try client.get("/readyz").status == 200)
        #expect(try client.get("/readyz?a=b").status == 200)
        let metrics = try eventually("two workers") { () -> Metrics? in
          let answer = try client.get("/metrics")
          #expect(answer.headers["content-type"]?.contains("version=0.0.4") == true)
          let metrics = try Metrics(answer.body)
          let count = try metrics.value("attnmesh_workers", ["standing": "active"])
          return count == 2 ? metrics : nil
        }
        #expect(try metrics.value("attnmesh_worker_threads", ["worker": Self.hostile]) == 1)
        #expect(try metrics.value("attnmesh_events_total", ["kind": "worker-joined"]) == 2)
        #expect(try metrics.value("attnmesh_events_total", ["kind": "store-alarm"]) == 0)
        #expect(try metrics.value("attnmesh_healthy") == 1)
        let ring = try jsonObject(client.get("/ring.json").body)
        let names = (ring["workers"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
        #expect(names?.sorted() == ["w1", Self.hostile].sorted())
        let page = try client.get("/")
        #expect(page.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(!page.body.contains("src=\"") && !page.body.contains("innerHTML"))
        #expect(!page.body.contains(Self.hostile))
        let head = try client.get("/", method: "HEAD")
        #expect(head.status == 200 && head.body.isEmpty)
        #expect(head.headers["content-length"] == page.headers["content-length"])
        #expect(try client.get("/favicon.ico").status == 404)
      }
    }

    @Test func whatIsNoRequestIsRefused() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0, coordinatorFlags: Self.flags)
        let client = try HTTPClient(mesh.coordinator)
        let local = "Host: localhost\r\n"
        let requests = [
          ("POST /healthz HTTP/1.1\r\n\(local)Content-Length: 3\r\n\r\nabc", 405),
          ("DELETE / HTTP/1.1\r\n\(local)\r\n", 405),
          ("GET / HTTP/1.1\r\n\(local)X: \(String(repeating: "x", count: 1 << 20))\r\n\r\n", 431),
          ("GET /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\n\(local)\r\n", 431),
          ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\(local)\(local)\r\n", 400),
          ("GET / HTTP/1.1\r\nHost: attacker.example\r\n\r\n", 421),
          ("GET / HTTP/1.1\r\nHost: 127.0.0.1.attacker.example\r\n\r\n", 421),
          ("GET / HTTP/1.1\r\nHost: localhost.attacker.example:80\r\n\r\n", 421),
          ("GET http://localhost/ HTTP/1.1\r\n\(local)\r\n", 400),
          ("GET / HTTP/3.0\r\n\r\n", 505), ("GET /\r\n\r\n", 400), ("\u{0}\u{1}\r\n\r\n", 400),
          ("GET / HTTP/1.1\r\n\(local)no colon\r\n\r\n", 400),
          ("GET / HTTP/1.1\r\n\(local)Transfer-Encoding: chunked\r\n\r\n", 400),
          ("GET / HTTP/1.1\r\n\(local)Content-Length: 9\r\n\r\n", 413),
        ]
        for (request, status) in requests {
          let answer = try client.send(request)
          #expect(answer.status == status, "\(request.prefix(60).debugDescription)")
          #expect(answer.headers["connection"] == "close")
        }
        for host in ["localhost", "LOCALHOST:7702", "127.0.0.1", "127.1.2.3:80", "[::1]:7702"] {
          #expect(try client.get("/healthz", host: host).status == 200, "\(host)")
        }
        // Two requests at once, answered in order.
        let two = try client.send(
          "GET /healthz HTTP/1.1\r\n\(local)\r\nHEAD / HTTP/1.0\r\n\r\n")
        #expect(two.body.contains("HTTP/1.1 200 OK"))
        #expect(mesh.coordinator.isRunning)
      }
    }

    /// Clients who say nothing give way to those who ask.
    @Test func silentClientsKeepNobodyOut() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0, coordinatorFlags: Self.flags)
        let client = try HTTPClient(mesh.coordinator)
        let silent = try (0..<200).map { _ in try client.connect() }
        for connection in silent { client.write("GET / HT", to: connection) }
        try eventually("an answer") { (try? client.get("/healthz"))?.status == 200 }
        for _ in 0..<100 { #expect(try client.get("/readyz").status == 200) }
        // The first ones were closed.
        var byte: UInt8 = 0
        #expect(recv(silent[0], &byte, 1, 0) <= 0)
        for connection in silent { close(connection) }
        #expect(mesh.coordinator.isRunning)
      }
    }

    @Test func metricsMove() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: 1_501)
        let mesh = try Mesh(
          scratch, workers: 2, coordinatorFlags: Self.flags, environment: SlowJob.environment)
        let client = try HTTPClient(mesh.coordinator)
        let job = try mesh.submit(slow.flags)
        var last = try Metrics(client.get("/metrics").body)
        var seen: Set<Double> = []
        try eventually("the end of the job") {
          let now = try Metrics(client.get("/metrics").body)
          for (key, value) in last.counters {
            #expect(
              now.counters[key].map { $0 >= value } ?? (key.labels["worker"] != nil), "\(key)")
          }
          last = now
          try seen.insert(now.value("attnmesh_job_folded_tiles"))
          return try now.value("attnmesh_jobs", ["state": "done"]) == 1
        }
        #expect(seen.count > 2, "\(seen)")
        let total = try mesh.summary(job)["tiles_total"] as? Int
        #expect(try last.value("attnmesh_tiles_folded_total") == total.map(Double.init))
        #expect(try last.value("attnmesh_events_total", ["kind": "job-done"]) == 1)
        #expect(try last.value("attnmesh_sent_bytes_total", ["purpose": "results"]) > 0)
        #expect(try last.value("attnmesh_compute_seconds_total") > 0)
        #expect(try last.value("attnmesh_calls_total", ["code": "OK"]) > 0)
        let refused = try mesh.run(["job", String(repeating: "0", count: 32)])
        #expect(try refused.wait() == .code(2))
        try eventually("the refusal") {
          try Metrics(client.get("/metrics").body)
            .value("attnmesh_calls_total", ["code": "NOT_FOUND"]) == 1
        }
      }
    }

    @Test func lossAndRecoveryAreShown() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(
          scratch, workers: 3, coordinatorFlags: Self.flags, environment: SlowJob.environment)
        let client = try HTTPClient(mesh.coordinator)
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        let start = monotonicSeconds()
        try mesh.kill("w2")
        try eventually("the loss") {
          let ring = try jsonObject(client.get("/ring.json").body)
          let departed = ring["departed"] as? [[String: Any]] ?? []
          return departed.contains { $0["name"] as? String == "w2" }
        }
        print("a killed worker is in /ring.json after \(monotonicSeconds() - start) s")
        try eventually("the recovery") {
          let ring = try jsonObject(client.get("/ring.json").body)
          let recoveries = (ring["job"] as? [String: Any])?["recoveries"] as? [[String: Any]] ?? []
          return !recoveries.isEmpty
            && recoveries.allSatisfy {
              $0["from"] as? String == "w2" && $0["caught_up_seconds"] is Double
            }
        }
        print("and has been made good after \(monotonicSeconds() - start) s")
        #expect(try mesh.result(job) == slow.alone)
        let metrics = try Metrics(client.get("/metrics").body)
        let sources = ["memory", "checkpoint", "older_checkpoint", "recomputed"]
        let recovered = try sources.map {
          try metrics.value("attnmesh_recoveries_total", ["source": $0])
        }
        #expect(recovered.reduce(0, +) == Double(try mesh.recoveries(job).count))
        #expect(try metrics.value("attnmesh_events_total", ["kind": "worker-lost"]) == 1)
      }
    }

    /// That something answers is not health.
    @Test func coordinatorThatDoesNotGetOnIsNotHealthy() throws {
      try withScratch { scratch in
        let coordinator = try scratch.start(
          ["coordinator", "--listen", "tcp://127.0.0.1:*"] + Self.flags,
          ["ATTNMESH_FAILPOINT": "coordinator-tick:hang:40"])
        let client = try HTTPClient(coordinator)
        let health = ["health", "--http", "127.0.0.1:\(client.port)"]
        let first = try scratch.run(health)
        #expect(try first.wait() == .code(0) && first.output == "healthy: ok\n")
        let told = try jsonObject(try scratch.run(health + ["--json"]).output)
        #expect(told["healthy"] as? Bool == true && told["answer"] as? String == "ok")
        #expect(told["http"] as? String == "127.0.0.1:\(client.port)")
        try eventually("the answer 503") { try client.get("/healthz").status == 503 }
        let sick = try scratch.run(health + ["--json"])
        #expect(try sick.wait() == .code(1))
        #expect(try jsonObject(sick.output)["healthy"] as? Bool == false)
        #expect(try jsonObject(sick.errors)["kind"] as? String == "job_failed")
        let second = try scratch.run(health)
        expectRefusal(second, code: 1, "not healthy: the loop has not got on for")
        #expect(try client.get("/readyz").status == 503)
        #expect(
          try Metrics(client.get("/metrics").body).value("attnmesh_healthy") == 0)
      }
    }

    @Test func stoppedCoordinatorDoesNotAnswer() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0, coordinatorFlags: Self.flags)
        let port = try HTTPClient(mesh.coordinator).port
        mesh.coordinator.signal(SIGSTOP)
        let health = ["health", "--http", "127.0.0.1:\(port)"]
        expectRefusal(try scratch.run(health), code: 3, "no answer in time")
        mesh.coordinator.signal(SIGCONT)
        try eventually("health") { try scratch.run(health).wait() == .code(0) }
      }
    }

    @Test func workerIsReadyWhenItIsWelcome() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let port = try TCPProxy.freePort(beside: 1)
        let worker = try scratch.start(
          ["worker", "--name", "w1", "--threads", "1"] + Self.flags
            + ["--coordinator", "tcp://127.0.0.1:\(port)"],
          SlowJob.slowness(10, "compute:hang:150"))
        let client = try HTTPClient(worker)
        // Its loop may not have told anything yet.
        try eventually("health") { try client.get("/healthz").body == "ok\n" }
        try eventually("not ready") {
          let answer = try client.get("/readyz")
          return answer.status == 503 && answer.body.contains("has not welcomed this worker")
        }
        let mesh = try Mesh(scratch, workers: 0, port: port)
        try eventually("welcome") { try client.get("/readyz").status == 200 }
        #expect(try client.get("/").body.contains("attnmesh worker w1"))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntilFolding(job)
        try eventually("metrics that move") {
          let metrics = try Metrics(client.get("/metrics").body)
          return try metrics.value("attnmesh_worker_process_tiles_folded_total") > 0
            && metrics.value("attnmesh_worker_process_ranks") > 0
        }
        // Nobody ends it for that its compute threads hang.
        mesh.coordinator.signal(SIGSTOP)
        let body = try eventually("the answer 503") { () -> String? in
          let answer = try client.get("/healthz")
          return answer.status == 503 ? answer.body : nil
        }
        #expect(body.contains("have work and got nothing done for"))
        let health = try scratch.run(["health", "--http", "127.0.0.1:\(client.port)"])
        #expect(try health.wait() == .code(1))
      }
    }

    @Test func addressesAreChecked() throws {
      try withScratch { scratch in
        let mesh = try Mesh(scratch, workers: 0, coordinatorFlags: Self.flags)
        let port = try HTTPClient(mesh.coordinator).port
        let coordinator = ["coordinator", "--listen", "tcp://127.0.0.1:*", "--http"]
        expectRefusal(
          try scratch.run(coordinator + ["127.0.0.1:\(port)"]), code: 2,
          "--http 127.0.0.1:\(port): can't listen there", "--http off")
        for wrong in ["7702", "nowhere.example:80", "127.0.0.1:", "127.0.0.1:70000", ""] {
          expectRefusal(try scratch.run(coordinator + [wrong]), code: 2, "ADDR:PORT")
        }
        let open = try scratch.start(coordinator + ["0.0.0.0:0"])
        _ = try HTTPClient(open)
        #expect(open.errors.contains("warning: --http 0.0.0.0:"), "\(open.errors)")
        // Whoever asks by another name is answered there.
        #expect(try HTTPClient(open).get("/healthz", host: "coordinator").status == 200)
        expectRefusal(
          try scratch.run(["health", "--http", "127.0.0.1:\(TCPProxy.freePort())"]), code: 3,
          "nobody answers")
      }
    }
  }
}
