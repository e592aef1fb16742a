import Testing

extension Integration {
  /// Whatever the mask, a worker that is killed costs no bit: as it is given its ranks, as it folds, or
  /// with results on their way.
  @Suite struct MaskKills {
    /// Places that whoever has ranks passes, whatever their rows see: the last one of a worker isn't handed
    /// over to somebody idle.
    static let points = ["assign", "finish", "send-result", "send-final"]

    @Test("any mask on any mesh, one of whose workers is killed", arguments: 0..<20)
    func anyMask(number: Int) throws {
      try withScratch { scratch in
        let job = try MaskedJob(scratch, workers: 2 + number % 8, seed: UInt64(200 + number))
        let alone = try scratch.attend(job.flags, name: "alone")
        let violation = job.check.violation(output: alone.output, logSumExp: alone.logSumExp)
        #expect(violation == nil, "\(job)")

        let point =
          number % 3 == 0 && job.everyRankFolds ? "fold" : Self.points[number % Self.points.count]
        var workers = ["victim": ["ATTNMESH_FAILPOINT": "\(point):kill:1"]]
        for number in 1..<job.workers { workers["w\(number)"] = [:] }
        let mesh = try Mesh(scratch, workers: 0)
        try mesh.startWorkers(workers)
        let found = try scratch.attend(job.flags + mesh.flags)
        #expect(found == alone, "\(point), \(job)")
        let victim = try #require(mesh.workers["victim"])
        #expect(try victim.wait() == .signal(9), "\(point), \(job)")
        // Its ranks went to others, which is told before their results are taken.
        #expect(!mesh.observed("worker-lost worker=victim ").isEmpty, "\(mesh.coordinator.errors)")
        #expect(!mesh.observed(" rehosted ").isEmpty, "\(mesh.coordinator.errors)")
      }
    }
  }
}
