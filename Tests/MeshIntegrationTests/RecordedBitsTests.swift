import AttentionKernels
import Testing

extension Integration {
  /// What jobs of all kinds gave when they were recorded, they give for ever: whoever keeps digests of
  /// results must be able to compare them with those of a later version. Fixtures/bits.txt has a job a
  /// line. A line that doesn't hold any more is a break of the promise in README, not a line to renew.
  @Suite struct RecordedBits {
    static let jobs = RecordedJob.all

    @Test func thereAreFortyOfThem() {
      #expect(Self.jobs.count >= 40)
    }

    @Test(arguments: jobs)
    func everyLevelGivesTheRecordedBits(job: RecordedJob) throws {
      try withScratch { scratch in
        let flags = try job.tensors.write(to: scratch, format: job.format) + job.flags
        for level in [KernelLevel.avx512bf16, .avx512, .avx2, .baseline] where level.isSupported {
          let found = try scratch.attend(flags, ["ATTNMESH_CPU": level.name])
          #expect(
            job.recorded(level) == RecordedJob.text(found),
            "\(level.name): \(job.name)")
        }
      }
    }

    /// On a mesh, with a layout and a number of ranks that the number of the job decides.
    @Test(arguments: jobs.enumerated().filter { $0.offset % 5 == 2 }.map(\.element))
    func aMeshGivesTheRecordedBits(job: RecordedJob) throws {
      try withScratch { scratch in
        let flags = try job.tensors.write(to: scratch, format: job.format) + job.flags
        let mesh = ["--workers", "3", "--layout", job.seed % 2 == 0 ? "zigzag" : "contiguous"]
        let found = try scratch.attend(flags + mesh, ["ATTNMESH_CPU": "avx2"])
        #expect(job.recorded(.avx2) == RecordedJob.text(found), "\(job.name)")
      }
    }
  }
}
