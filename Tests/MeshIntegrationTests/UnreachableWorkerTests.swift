import Testing

extension Integration {
  /// A worker that works, and whose `--advertise` leads nowhere.
  @Suite struct UnreachableWorker {
    @Test func isToldAndAvoided() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 2, environment: SlowJob.slowness(20))
        let address = try "tcp://127.0.0.1:\(TCPProxy.freePort())"
        try mesh.startWorker("w3", ["--advertise", address])
        let job = try mesh.submit(slow.flags)
        try eventually("the alarm") {
          try mesh.events("peer-unreachable").contains { event in
            let detail = event["detail"] as? String ?? ""
            return event["worker"] as? String == "w3" && detail.contains("at \(address):")
              && detail.hasPrefix("w")
          }
        }
        #expect(try mesh.output(["status"]).contains(address))
        // Those that can be reached keep each other's copies, and a loss costs no more than ever.
        try mesh.waitUntilCopied(job)
        try mesh.kill("w1")
        #expect(try mesh.result(job) == slow.alone)
        let recoveries = try mesh.losses(job)
        #expect(!recoveries.isEmpty && recoveries.allSatisfy { $0.worker == "w1" })
        #expect(recoveries.contains { $0.tier == "peer memory" }, "\(recoveries)")
        #expect(try mesh.events("straggler").isEmpty)
      }
    }
  }
}
