import ElementTypes
import MeshCore
import MeshRuntime
import Testing

/// What is computed on this machine without a mesh of its own is refused before it begins, where there
/// isn't the memory.
@Suite struct AdmissionTests {
  private func job(heads: Int = 8, tokens: Int, axes: AxisOrder = .headsFirst) -> AttentionJob {
    AttentionJob(
      batch: 1, queryHeads: heads, keyValueHeads: heads, queryTokens: tokens, keyTokens: tokens,
      headDimension: 64, element: .float32, mask: .causal, scale: 1, layout: .zigzag, axes: axes)
  }

  private func room(_ mebibytes: Int) -> MemoryRoom {
    MemoryRoom(bytes: mebibytes << 20, limit: "by decree")
  }

  @Test("one process takes no more than it may, for sequences of any length")
  func oneProcess() {
    for tokens in [16, 4_096, 1 << 20, 16 << 20] {
      let plenty = InProcessAdmission(
        job(tokens: tokens), threads: 2, resultBytes: 0, room: room(1 << 20))
      #expect(plenty.problem == nil)
      #expect(plenty.bytes <= 350 << 20)
      let little = InProcessAdmission(
        job(tokens: tokens), threads: 2, resultBytes: 0, room: room(150))
      #expect(little.problem == nil)
      #expect(little.bytes <= 150 << 20)
    }
  }

  @Test("what can't be cut any further is refused with both numbers and what sets the limit")
  func tooLittle() throws {
    let admission = InProcessAdmission(
      job(tokens: 16 << 20), threads: 2, resultBytes: 0, room: room(70))
    let problem = try #require(admission.problem)
    #expect(problem.contains("needs \(bytes(admission.bytes)) of memory in one process"))
    #expect(problem.contains("70.0 MiB (by decree)"))
    let error = #expect(throws: MeshError.self) { try admission.check() }
    #expect(error?.kind == .badInput)
  }

  @Test("gradients take what there is, and no byte more", arguments: [false, true])
  func gradients(hasForward: Bool) throws {
    for (heads, tokens) in [(1, 16), (8, 4_096), (64, 4_096), (4, 100_000), (2, 1 << 20)] {
      func admission(_ bytes: Int) -> GradientAdmission {
        GradientAdmission(
          job(heads: heads, tokens: tokens), hasForward: hasForward, threads: 2, resultBytes: 0,
          room: MemoryRoom(bytes: bytes, limit: "by decree"))
      }
      let least = admission(0).bytes
      for room in [least, least + 1 << 20, least + 17 << 20, least + 300 << 20, 1 << 40] {
        let fitting = admission(room)
        #expect(fitting.problem == nil, "\(heads) heads, \(tokens) tokens in \(room) bytes")
        #expect(fitting.bytes <= room && fitting.keyHeads >= 1)
      }
      let problem = try #require(admission(least - 1).problem)
      #expect(problem.contains("need \(bytes(least)) of memory in one process"), "\(problem)")
      #expect(problem.contains("\(bytes(least - 1)) (by decree)"), "\(problem)")
    }
    // As many heads as there is room for.
    let heads = [95, 110, 400].map {
      GradientAdmission(
        job(tokens: 4_096), hasForward: hasForward, threads: 2, resultBytes: 0, room: room($0)
      ).keyHeads
    }
    #expect(heads[0] < heads[1] && heads[1] < heads[2] && heads[2] == 8, "\(heads)")
  }

  @Test("a local mesh is the sum of its workers, spares and coordinator")
  func localMesh() throws {
    func admission(
      _ workers: Int, _ spares: Int, room: Int, process: Int, inMemory: Bool = false,
      resultBytes: Int = 0
    ) -> LocalMeshAdmission {
      LocalMeshAdmission(
        job(tokens: 8_192), workers: workers, spares: spares, threadsPerWorker: 1,
        isProtected: true, resultBytes: resultBytes, room: self.room(room),
        processRoom: self.room(process),
        filesInMemory: inMemory)
    }
    let roomy = admission(3, 1, room: 1 << 20, process: 1 << 20)
    #expect(roomy.problem == nil)
    #expect(roomy.bytes == 4 * roomy.workerBytes + roomy.coordinatorBytes)
    #expect(roomy.bytesPerWorker >= roomy.workerBytes)
    // As much as is needed, and no byte more.
    let exact = roomy.bytes >> 20 + 1
    let tight = admission(3, 1, room: exact, process: 1 << 20)
    #expect(tight.problem == nil)
    #expect(tight.bytesPerWorker >= tight.workerBytes)
    let short = try #require(admission(3, 1, room: exact - 2, process: 1 << 20).problem)
    #expect(short.contains("\(bytes(roomy.workerBytes)) for each of 4 workers"))
    #expect(short.contains("(by decree)"))
    // Files in memory count.
    let inMemory = admission(3, 1, room: exact, process: 1 << 20, inMemory: true)
    #expect(inMemory.bytes > roomy.bytes + job(tokens: 8_192).inputBytes)
    #expect(inMemory.problem?.contains("for files in ") == true)
    let toMemory = admission(3, 1, room: exact, process: 1 << 20, resultBytes: 4 << 20)
    #expect(toMemory.bytes - roomy.bytes == 4 << 20)
    #expect(toMemory.bytesPerWorker < tight.bytesPerWorker)
    #expect(toMemory.problem?.contains(", 4.00 MiB for files in memory") == true)
    // So does what one process may have.
    let limited = try #require(admission(3, 1, room: 1 << 20, process: 100).problem)
    #expect(limited.contains("in each worker, where a process may have 100 MiB (by decree)"))
  }

  @Test("output files take memory where their directory is kept in it")
  func outputInMemory() throws {
    var job = job(tokens: 1_024)
    func memory(_ output: String, _ logSumExp: String?) throws -> Int {
      try ResultFiles.memoryBytes(
        output: output, element: .float16, logSumExp: logSumExp, job: job
      ) { $0.hasPrefix("/memory") }
    }
    let (output, logSumExp) = (job.outputBytes / 2, job.logSumExpBytes)
    #expect(try memory("/disk/o.npy", "/disk/l.npy") == 0)
    #expect(try memory("/memory/o.npy", nil) == output)
    #expect(try memory("/memory/a/o.safetensors:x", "/memory/l.npy") == output + logSumExp)
    #expect(try memory("/disk/o.npy", "/memory/l.npy") == logSumExp)
    // Where temporary files are, too, if it waits there.
    job = self.job(tokens: 1_024, axes: .tokensFirst)
    let waiting = try ResultFiles.memoryBytes(
      output: "/disk/o.npy", element: .float16, logSumExp: nil, job: job
    ) { $0 != "/disk/" }
    #expect(waiting == output)
    #expect(!FileSystem.isMemory("/proc") && !FileSystem.isMemory("/nowhere"))
    let full = InProcessAdmission(job, threads: 2, resultBytes: 1 << 60)
    #expect(full.problem?.contains("for the output, whose directory is kept in memory") == true)
  }

  @Test("there is room on this machine, and something sets its limit")
  func thisMachine() {
    let room = MemoryRoom.ofProcess(threads: 1)
    #expect(room.bytes > 1 << 20)
    #expect(!room.limit.isEmpty)
    #expect(room.bytes <= MemoryRoom.ofMachine().bytes + 64 << 30)
  }
}
