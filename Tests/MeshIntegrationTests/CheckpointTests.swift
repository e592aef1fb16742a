import Glibc
import Testing

extension Integration {
  /// State that outlives all memory, and disks that fail.
  @Suite struct Checkpoints {
    /// Workers and those with their copies die together: what is on disk is gone on from.
    @Test func fromDiskAfterAllWorkers() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: Self.tokens)
        let mesh = try meshWithCheckpoints(scratch, workers: 2, milliseconds: 5)
        let job = try mesh.submit(slow.flags)
        try waitUntilDurable(mesh, job)
        try killAll(mesh)
        try mesh.startWorker("w8", [], [:])
        try mesh.startWorker("w9", [], [:])
        #expect(try mesh.result(job) == slow.alone)
        let tiers = try mesh.recoveries(job).filter { ["w8", "w9"].contains($0.host) }
          .compactMap(\.tier)
        #expect(tiers.contains("checkpoint"), "\(tiers)")
        #expect(try mesh.output(["job", job]).contains("checkpoint"))
        // Of no more use.
        try eventually("an empty directory") { scratch.names(in: directory(scratch)).isEmpty }
      }
    }

    /// The same with one worker left, which has some of the copies.
    @Test func fromDiskAndFromMemory() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: Self.tokens)
        let mesh = try meshWithCheckpoints(scratch, workers: 3, milliseconds: 5)
        let job = try mesh.submit(slow.flags)
        try waitUntilDurable(mesh, job)
        for name in ["w1", "w2"] { mesh.workers[name]?.signal(SIGKILL) }
        try mesh.waitUntil(job, "ranks from both") { _ in
          let tiers = try mesh.recoveries(job).filter { $0.host == "w3" }.compactMap(\.tier)
          return Set(tiers).isSuperset(of: ["peer memory", "checkpoint"])
        }
        try handOver(to: "w4", from: ["w3"], mesh)
        #expect(try mesh.result(job) == slow.alone)
      }
    }

    /// Nobody else can remove the checkpoints of a worker that was killed and had a directory for
    /// itself: it does that when its next job begins.
    @Test func leftByAKilledWorker() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(scratch, workers: 1, environment: SlowJob.environment)
        let flags = ["--checkpoints", directory(scratch)]
        try mesh.startWorker("w2", flags)
        let job = try mesh.submit(slow.flags)
        func whole() -> String? {
          scratch.names(in: directory(scratch)).first { $0.hasSuffix(".amck") }
        }
        try eventually("a checkpoint") { whole() != nil }
        try mesh.kill("w2")
        #expect(try mesh.result(job) == slow.alone)
        let file = try "\(directory(scratch))/\(#require(whole()))"
        #expect(
          link(file, file + ".partial") == 0 && link(file, directory(scratch) + "/notes") == 0)
        try mesh.startWorker("w2", flags)
        try expectNextJobIsRight(mesh, workers: 2)
        try eventually("only what is no checkpoint") {
          scratch.names(in: directory(scratch)) == ["notes"]
        }
      }
    }

    /// What happens to the files while nobody has them open.
    enum Damage: String, CaseIterable {
      /// One bit in the newer state of each file.
      case newerSlot
      /// A bit in every page.
      case everything
      case truncated
      case emptied
      case removed
      /// One rank's file under another's name.
      case swapped
      case directories
    }

    @Test(arguments: Damage.allCases)
    func damagedFiles(damage: Damage) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: Self.tokens)
        let mesh = try meshWithCheckpoints(scratch, workers: 2, milliseconds: 5)
        let job = try mesh.submit(slow.flags)
        try waitUntilDurable(mesh, job)
        try killAll(mesh)
        let files = scratch.names(in: directory(scratch)).map { directory(scratch) + "/" + $0 }
        try #require(!files.isEmpty)
        try apply(damage, to: files)
        try mesh.startWorker("w9", [], [:])
        #expect(try mesh.result(job) == slow.alone)
        let tiers = Set(
          try mesh.recoveries(job).filter { $0.host == "w9" }.compactMap(\.tier))
        switch damage {
        case .newerSlot:
          #expect(tiers.contains("older checkpoint"), "\(tiers)")
        case .everything, .truncated, .emptied, .swapped, .directories:
          #expect(tiers == ["recomputed"])
        case .removed:
          #expect(tiers == ["recomputed"])
          return
        }
        let alarms = try mesh.events("checkpoint-alarm")
        #expect(!alarms.isEmpty)
        #expect(alarms.allSatisfy { $0["worker"] as? String == "w9" }, "\(alarms)")
        #expect(
          alarms.allSatisfy { ($0["detail"] as? String)?.isEmpty == false && $0["vrank"] != nil },
          "\(alarms)")
        let details = alarms.compactMap { $0["detail"] as? String }
        // What can't be removed doesn't keep new ones from being written.
        #expect(!details.contains { $0.contains("no checkpoint can be written") }, "\(details)")
        #expect(details.contains { $0.contains("stays") } == (damage == .directories), "\(details)")
      }
    }

    /// Killed in the middle of a write, or right after one.
    @Test(arguments: ["write-slot:kill:5", "slot-written:kill:5", "snapshot:kill:4"])
    func killedWhileWriting(point: String) throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: 1_801)
        let mesh = try meshWithCheckpoints(scratch, workers: 0)
        try mesh.startWorker("w1", [], SlowJob.slowness(10, point))
        let job = try mesh.submit(slow.flags)
        #expect(try mesh.workers["w1"]?.wait() == .signal(9))
        try mesh.startWorker("w2")
        #expect(try mesh.result(job) == slow.alone)
        #expect(try mesh.losses(job).allSatisfy { $0.worker == "w1" })
        #expect(try mesh.events("checkpoint-alarm").isEmpty)
      }
    }

    /// A full disk takes the protection by it away, and nothing else.
    @Test(.enabled(if: geteuid() == 0, "only root may mount"))
    func fullDisk() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: Self.tokens)
        try withMount(scratch) { mounted in
          let mesh = try Mesh(
            scratch, workers: 2, workerFlags: ["--checkpoints", mounted],
            environment: SlowJob.slowness(5))
          let job = try mesh.submit(slow.flags)
          try mesh.waitUntilCopied(job, protection: "peer only, disk failing")
          try mesh.waitUntil(job, "the alarm") { _ in
            try !mesh.events("checkpoint-alarm").isEmpty
          }
          let alarm = try mesh.events("checkpoint-alarm")[0]
          #expect((alarm["detail"] as? String)?.contains("no space is left") == true, "\(alarm)")
          try mesh.kill("w1")
          try handOver(to: "w3", from: ["w2"], mesh)
          #expect(try mesh.result(job) == slow.alone)
          try killAll(mesh)
        }
      }
    }

    /// A disk that blocks without an error keeps nobody from copying to memory, handing over and ending.
    @Test func diskBlocksWhenWritten() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: Self.tokens)
        // Two that take a minute, on any machine: the alarm comes when 10 s of it have passed.
        let mesh = try meshWithCheckpoints(scratch, workers: 1, milliseconds: 20)
        try mesh.startWorker("w2", [], SlowJob.slowness(20, "write-slot:hang:1"))
        let job = try mesh.submit(slow.flags)
        try mesh.waitUntil(job, "the alarm") { _ in
          try mesh.events("checkpoint-alarm").contains {
            ($0["detail"] as? String)?.contains("isn't written after 10.") == true
          }
        }
        try mesh.waitUntilCopied(job)
        try handOver(to: "w3", from: ["w2", "w1"], mesh)
        #expect(try mesh.result(job) == slow.alone)
        #expect(try mesh.recoveries(job).allSatisfy { $0.refolded ?? 0 == 0 })
      }
    }

    /// One that can't be read doesn't keep a rank for ever: it begins again.
    @Test func diskBlocksWhenRead() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: Self.tokens)
        let mesh = try meshWithCheckpoints(scratch, workers: 2, milliseconds: 5)
        let job = try mesh.submit(slow.flags)
        try waitUntilDurable(mesh, job)
        try killAll(mesh)
        let blocked = try mesh.startWorker(
          "w9", [], ["ATTNMESH_FAILPOINT": "read-slot:hang:1"])
        #expect(try mesh.result(job) == slow.alone)
        let tiers = Set(try mesh.recoveries(job).filter { $0.host == "w9" }.compactMap(\.tier))
        #expect(tiers == ["recomputed"])
        blocked.signal(SIGTERM)
        #expect(try blocked.wait() == .code(0))
      }
    }

    @Test(.enabled(if: geteuid() == 0, "only root may mount"))
    func readOnlyDirectory() throws {
      try withScratch { scratch in
        try withMount(scratch, isReadOnly: true) { mounted in
          let worker = try scratch.run(["worker", "--checkpoints", mounted])
          expectRefusal(
            worker, code: 2, "--checkpoints \(mounted): ", "give a directory that can be written")
        }
      }
    }

    @Test func unprotectedJobWritesNone() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch)
        let mesh = try meshWithCheckpoints(scratch, workers: 2)
        let job = try mesh.submit(slow.flags + ["--protection", "off"])
        try mesh.waitUntilFolding(job)
        #expect(scratch.names(in: directory(scratch)).isEmpty)
        #expect(try mesh.result(job) == slow.alone)
        #expect(scratch.names(in: directory(scratch)).isEmpty)
      }
    }

    @Test func cancelledJobLeavesNone() throws {
      try withScratch { scratch in
        let slow = try SlowJob(scratch, tokens: Self.tokens)
        let mesh = try meshWithCheckpoints(scratch, workers: 2, milliseconds: 5)
        let job = try mesh.submit(slow.flags)
        try waitUntilDurable(mesh, job)
        #expect(!scratch.names(in: directory(scratch)).isEmpty)
        try mesh.output(["cancel", job, "--yes"])
        try eventually("an empty directory") { scratch.names(in: directory(scratch)).isEmpty }
      }
    }

    // MARK: Helpers

    /// A long job, of which the first tiles, that tests wait for, are a small part: two workers have some
    /// 6,900 heads of 64 rows and two tiles to take their time with. Others go on in the end, that don't.
    private static let tokens = 12_001

    private func directory(_ scratch: Scratch) -> String { scratch.file("checkpoints") }

    private func meshWithCheckpoints(
      _ scratch: Scratch, workers: Int, milliseconds: Int = 10
    ) throws -> Mesh {
      try Mesh(
        scratch, workers: workers, workerFlags: ["--checkpoints", directory(scratch)],
        environment: SlowJob.slowness(milliseconds))
    }

    /// Has a worker that doesn't take its time go on with what others host, and these end.
    private func handOver(to successor: String, from workers: [String], _ mesh: Mesh) throws {
      try mesh.startWorker(successor, [], [:])
      for name in workers {
        mesh.workers[name]?.signal(SIGTERM)
        #expect(try mesh.workers[name]?.wait() == .code(0))
      }
    }

    /// Waits until every rank that has begun is on disk, and one of them in both slots.
    private func waitUntilDurable(_ mesh: Mesh, _ job: String) throws {
      try mesh.waitUntil(job, "checkpoints") { status in
        let ranks = status["ranks"] as? [[String: Any]] ?? []
        let open = ranks.filter { $0["final"] as? Bool == false }
        return open.contains { ($0["durable"] as? Int ?? 0) >= 5 }
          && status["protection"] as? String == "peer + disk"
      }
    }

    private func killAll(_ mesh: Mesh) throws {
      for worker in mesh.workers.values { worker.signal(SIGKILL) }
      for worker in mesh.workers.values { try worker.wait() }
    }

    private func apply(_ damage: Damage, to files: [String]) throws {
      switch damage {
      case .newerSlot:
        for file in files {
          var bytes = contents(of: file)
          // Two slots of one size; the middle of one lies in its payload.
          let half = bytes.count / 2
          let isSecond = generation(bytes[half...]) > generation(bytes[..<half])
          bytes[(isSecond ? half : 0) + half / 2] ^= 0x10
          write(bytes, to: file)
        }
      case .everything:
        for file in files {
          var bytes = contents(of: file)
          for offset in stride(from: 17, to: bytes.count, by: 512) { bytes[offset] ^= 0x40 }
          write(bytes, to: file)
        }
      case .truncated:
        for file in files { truncate(file, off_t(contents(of: file).count / 3)) }
      case .emptied:
        for file in files { truncate(file, 0) }
      case .removed:
        for file in files { unlink(file) }
      case .swapped:
        // Each takes the contents of the next one.
        let all = files.map { contents(of: $0) }
        try #require(files.count > 1)
        for (index, file) in files.enumerated() { write(all[(index + 1) % all.count], to: file) }
      case .directories:
        for file in files {
          unlink(file)
          mkdir(file, 0o700)
        }
      }
    }

    /// The generation that a slot's header tells.
    private func generation(_ slot: ArraySlice<UInt8>) -> UInt64 {
      slot.dropFirst(144).prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func write(_ bytes: [UInt8], to path: String) {
      let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
      defer { close(file) }
      var done = 0
      while done < bytes.count {
        let count = bytes[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        guard count > 0 else { return }
        done += count
      }
    }

    /// A file system of one's own.
    private func withMount(
      _ scratch: Scratch, isReadOnly: Bool = false, _ body: (String) throws -> Void
    ) throws {
      let path = scratch.file("mounted")
      mkdir(path, 0o700)
      let flags = isReadOnly ? UInt(MS_RDONLY) : 0
      guard mount("tmpfs", path, "tmpfs", flags, "size=64k") == 0 else {
        // In a container root may not be allowed to.
        return print("skipped: mount: \(String(cString: strerror(errno)))")
      }
      defer {
        for entry in scratch.processes { kill(entry.process, SIGKILL) }
        umount2(path, Int32(2))
      }
      try body(path)
    }
  }
}
