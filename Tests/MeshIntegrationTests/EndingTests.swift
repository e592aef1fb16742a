import Glibc
import Testing

extension Integration {
  /// However a run ends, it leaves nothing behind.
  @Suite struct Ending {
    @Test func success() throws {
      try withScratch { scratch in
        let inputs = try JobTensors.fixture(tokens: 300).write(to: scratch)
        let run = try LocalRun(scratch, inputs: inputs, workers: 3)
        #expect(try run.program.wait() == .code(0))
        #expect(run.outputs == ["lse.npy", "o.npy", "report.json"])
        #expect(run.program.errors == "")
        expectNothingLeft(scratch)
      }
    }

    /// The deadline passes while the tensors are on their way.
    @Test func failedJob() throws {
      try withScratch { scratch in
        let inputs = try writeLargeInputs(to: scratch)
        let run = try LocalRun(scratch, inputs: inputs, workers: 3, more: ["--deadline", "0.001"])
        #expect(try run.program.wait() == .code(1))
        #expect(run.program.errorLines.count == 1)
        #expect(run.program.errors.contains("its deadline of"))
        #expect(run.outputs.isEmpty)
        expectNothingLeft(scratch)
      }
    }

    /// Also without a mesh.
    @Test func deadlineInOneProcess() throws {
      try withScratch { scratch in
        let inputs = try writeLargeInputs(to: scratch)
        let output = scratch.file("o.npy")
        let program = try scratch.run(
          ["attend", "--output", output, "--deadline", "0.001"] + inputs)
        #expect(try program.wait() == .code(1))
        #expect(program.errors.contains("the deadline of 0.001 s passed"))
        #expect(!scratch.exists("o.npy"))
      }
    }

    /// An input is overwritten in place: what is read after that is of another version.
    @Test func changedInput() throws {
      try withScratch { scratch in
        let run = try LocalRun(scratch, inputs: writeLargeInputs(to: scratch), workers: nil)
        try run.waitUntilComputing()
        let file = open(scratch.file("large-value.npy"), O_WRONLY | O_CLOEXEC)
        try #require(pwrite(file, [1], 1, 1_000) == 1)
        close(file)
        expectRefusal(
          run.program, code: 2, "large-value.npy: changed while it was read: it was written to")
        #expect(run.outputs.isEmpty)
      }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func interruptedMesh(signal: Int32) throws {
      try withScratch { scratch in
        let run = try LocalRun(scratch, inputs: writeLargeInputs(to: scratch), workers: 3)
        try run.waitUntilFolding()
        run.program.signal(signal)
        #expect(try run.program.wait() == .code(130))
        #expect(run.program.errorLines.count == 1)
        #expect(run.program.errors.hasPrefix("attnmesh: interrupted"))
        #expect(run.outputs.isEmpty)
        expectNothingLeft(scratch)
      }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func interruptedProcess(signal: Int32) throws {
      try withScratch { scratch in
        let run = try LocalRun(scratch, inputs: writeLargeInputs(to: scratch), workers: nil)
        try run.waitUntilComputing()
        run.program.signal(signal)
        #expect(try run.program.wait() == .code(130))
        #expect(run.program.errors == "attnmesh: interrupted\n")
        #expect(run.outputs.isEmpty)
      }
    }

    /// Workers watch a pipe from their parent, and the last one to go removes the directory.
    @Test(arguments: [nil, 3])
    func killed(workers: Int?) throws {
      try withScratch { scratch in
        let run = try LocalRun(scratch, inputs: writeLargeInputs(to: scratch), workers: workers)
        if workers == nil { try run.waitUntilComputing() } else { try run.waitUntilFolding() }
        run.program.signal(SIGKILL)
        #expect(try run.program.wait() == .signal(9))
        try eventually("the end of all workers") { scratch.processes.isEmpty }
        #expect(run.outputs.isEmpty)
        expectNothingLeft(scratch)
      }
    }

    /// Killed while it starts: some workers are there, some are not.
    @Test func killedWhileStarting() throws {
      try withScratch { scratch in
        let run = try LocalRun(scratch, inputs: writeLargeInputs(to: scratch), workers: 6)
        try eventually("the first worker") { !scratch.workers.isEmpty }
        run.program.signal(SIGKILL)
        try run.program.wait()
        try eventually("the end of all workers") { scratch.processes.isEmpty }
        expectNothingLeft(scratch)
      }
    }

    /// Ctrl-C at a terminal reaches the whole process group.
    @Test func workersIgnoreTheTerminalsInterrupt() throws {
      try withScratch { scratch in
        let run = try LocalRun(scratch, inputs: writeLargeInputs(to: scratch), workers: 2)
        try run.waitUntilFolding()
        for worker in scratch.workers {
          #expect(getpgid(worker) == worker, "a worker is in its parent's process group")
        }
        run.program.signal(SIGTERM)
        #expect(try run.program.wait() == .code(130))
      }
    }

    private func expectNothingLeft(_ scratch: Scratch) {
      #expect(scratch.processes.map(\.arguments) == [])
      #expect(scratch.names(in: scratch.temporary) == [])
    }
  }
}
