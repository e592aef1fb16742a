package import MeshCore

/// What a job takes of this machine when a coordinator and its workers compute it here, against what
/// there is: decided before any of them is started.
package struct LocalMeshAdmission: Sendable {
  package let workers: Int
  package let spares: Int
  package let plan: Plan
  /// The bound for each worker, and for this process with the coordinator in it.
  package let workerBytes: Int
  package let coordinatorBytes: Int
  /// Of the result's files, and the store's files and checkpoints, where they are memory.
  package let fileBytes: Int
  /// What all of them may have together, and what one of them may have at most.
  package let room: MemoryRoom
  package let processRoom: MemoryRoom

  /// The program with a coordinator's threads and sockets.
  private static let processBytes = 96 << 20

  /// - Parameters:
  ///   - resultBytes: of memory that the result's files take.
  ///   - filesInMemory: whether those of the store are; by default as the system says.
  package init(
    _ job: AttentionJob, workers: Int, spares: Int, threadsPerWorker: Int, isProtected: Bool,
    resultBytes: Int, room: MemoryRoom? = nil, processRoom: MemoryRoom? = nil,
    filesInMemory: Bool? = nil
  ) {
    self.workers = workers
    self.spares = spares
    plan = Plan(
      job: job, vrankCount: job.vrankCount(workers: workers), blocks: job.blocksUnknown)
    workerBytes =
      MemoryEstimate(
        plan: plan, workers: min(workers, plan.vrankCount), isProtected: isProtected,
        threads: threadsPerWorker
      ).workerBytes
    // What each of them has asked for and not yet taken, and results on their way to the store.
    coordinatorBytes =
      Self.processBytes + workers
      * (Limits.storeCreditBytes
        + Limits.resultMessagesOutstanding * Limits.dataFrameBytesMaximum)
    let isInMemory = filesInMemory ?? FileSystem.isMemory(StoreDirectory.temporary)
    let plan = self.plan
    let slots = isProtected ? plan.vranks.reduce(0) { $0 + 2 * plan.stateBytes(of: $1) } : 0
    let storeBytes = isInMemory ? MemoryEstimate(plan: plan, workers: 1).diskBytes + slots : 0
    fileBytes = storeBytes + resultBytes
    self.room =
      room
      ?? { machine in
        MemoryRoom(bytes: machine.bytes + ProcessMemory.residentBytes, limit: machine.limit)
      }(MemoryRoom.ofMachine())
    self.processRoom = processRoom ?? MemoryRoom.ofProcess(threads: threadsPerWorker + 8)
  }

  /// What all of them take together.
  package var bytes: Int { (workers + spares) * workerBytes + coordinatorBytes + fileBytes }

  /// What each worker is given, whatever it needs.
  package var bytesPerWorker: Int {
    let share = (room.bytes - coordinatorBytes - fileBytes) / (workers + spares)
    return max(0, min(share, processRoom.bytes))
  }

  /// Why the job isn't begun; nil when there is room.
  package var problem: String? {
    if bytes > room.bytes {
      let count = workers + spares
      let each = MeshCore.bytes(workerBytes)
      let files =
        fileBytes == 0
        ? "" : ", \(MeshCore.bytes(fileBytes)) for files in memory"
      return
        "the job needs \(MeshCore.bytes(bytes)) of memory, \(each) for each of \(count) workers"
        + " and \(MeshCore.bytes(coordinatorBytes)) for their coordinator\(files); there are"
        + " \(room.text): give it more, or leave out --workers, which takes less"
    }
    if workerBytes > processRoom.bytes {
      return
        "the job needs \(MeshCore.bytes(workerBytes)) of memory in each worker, where a process"
        + " may have \(processRoom.text): raise that, or give more --workers"
    }
    return nil
  }

  /// - Throws: bad input, with the numbers.
  package func check() throws(MeshError) {
    if let problem { throw MeshError(.badInput, problem) }
  }
}
