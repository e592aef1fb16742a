package import AttentionKernels
package import CheckpointFiles
internal import Glibc
internal import MeshCore
internal import Synchronization
internal import ZeroMQ

/// A running worker: a thread for its sockets, and compute threads.
package final class WorkerService: Sendable {
  /// How it is set up.
  package struct Configuration: Sendable {
    package var name: String
    /// The coordinator's control socket.
    package var coordinator: String
    /// Where to serve tiles, and what to tell others of it; nil for the bound address, or the machine's
    /// name if that is every address.
    package var listen: String
    package var advertised: String?
    package var threads: Int
    package var memoryBytes: Int
    package var kernel: AttentionKernel
    /// Where checkpoints go, and come from; nil for memory only.
    package var checkpoints: CheckpointDirectory?
    /// The machine, as copies should be kept on another.
    package var machine: String
    package var isSpare: Bool
    /// Keys of a mesh that has them.
    package var credentials: MeshCredentials?
    /// For benchmarks: takes time instead of computing.
    package var model: Model?
    package var log: ObservationLog
    /// Where its loop publishes its state; nil when nobody watches.
    package var board: StatusBoard<WorkerReport>?

    package init(
      name: String, coordinator: String, listen: String, advertised: String?, threads: Int,
      memoryBytes: Int, kernel: AttentionKernel, checkpoints: CheckpointDirectory?,
      machine: String, isSpare: Bool, credentials: MeshCredentials? = nil, model: Model?,
      log: ObservationLog, board: StatusBoard<WorkerReport>? = nil
    ) {
      self.name = name
      self.coordinator = coordinator
      self.listen = listen
      self.advertised = advertised
      self.threads = threads
      self.memoryBytes = memoryBytes
      self.kernel = kernel
      self.checkpoints = checkpoints
      self.machine = machine
      self.isSpare = isSpare
      self.credentials = credentials
      self.model = model
      self.log = log
      self.board = board
    }
  }

  /// A worker that only behaves like one: folds take the time that a machine of this speed would
  /// take, and so do its sends.
  package struct Model: Sendable {
    /// (query, key) pairs a second, over all heads.
    package var pairsPerSecond: Double
    package var linkBytesPerSecond: Double

    package init(pairsPerSecond: Double, linkBytesPerSecond: Double) {
      self.pairsPerSecond = pairsPerSecond
      self.linkBytesPerSecond = linkBytesPerSecond
    }
  }

  /// Why a worker ended by itself.
  package enum Ending: Sendable {
    case stopped
    /// Relieved of everything, after it was asked to end.
    case left
    /// The coordinator doesn't want it.
    case refused(String)
    /// The coordinator has found it hung.
    case fenced(String)
  }

  private let notices: Mailbox<WorkerLoop.Notice>
  private let ending = Monitor<Ending?>(nil)
  private let thread: Mutex<DedicatedThread?> = Mutex(nil)
  private let pool: ComputePool
  private let disk: BackgroundQueue
  private let memory: BackgroundQueue
  private let authenticator: Authenticator?

  /// Binds the data socket, connects to the coordinator and starts the threads.
  package init(_ configuration: Configuration) throws(MeshError) {
    var serverTest: () throws(MeshError) -> Void = {}
    let coordinator = try Endpoint(configuration.coordinator, flag: "--coordinator")
      .forConnecting(flag: "--coordinator")
    let listen = try Endpoint(configuration.listen, flag: "--listen").forListening(flag: "--listen")
    let advertised = try configuration.advertised.map { text throws(MeshError) in
      try Endpoint(text, flag: "--advertise").forTelling(flag: "--advertise")
    }
    do throws(ZeroMQError) {
      // A context of its own for control, so that heartbeats never queue behind tensors.
      let (controlContext, dataContext) = (try Context(), try Context())
      var generator = SystemRandomNumberGenerator()
      let worker = WorkerID(incarnation: .random(in: 1...UInt64.max, using: &generator))
      let credentials = configuration.credentials
      let gate = credentials.map { PeerGate(coordinator: $0.coordinatorKey) }
      authenticator = try gate.map { gate throws(ZeroMQError) in
        try Authenticator(dataContext) { gate.answer($0) }
      }
      var options = Sockets.control(credentials?.toCoordinator ?? .none)
      // Not the incarnation, which is told to all who ask: whoever knew a routing id beforehand could
      // take its place.
      let linkOwner = UInt64.random(in: .min ... .max, using: &generator)
      options.routingID = Sockets.routingID(linkOwner, 0)
      options.usesIPv6 = coordinator.needsIPv6
      let control = Handover(try OwnedSocket(.dealer, context: controlContext, options: options))
      let controlMonitor = Handover(try SocketMonitor(control.take()))
      let security = credentials.map { SocketSecurity.server($0.keys) } ?? .none
      var dataOptions = Sockets.data(security)
      dataOptions.usesIPv6 = listen.isIPv6
      let data = Handover(try OwnedSocket(.router, context: dataContext, options: dataOptions))
      let bound = try data.take().socket.bind("\(listen)")
      try control.take().socket.connect("\(coordinator)")
      let notices = try Mailbox<WorkerLoop.Notice>(capacity: Limits.mailboxEventsMaximum)
      let pool = try ComputePool(threads: configuration.threads)
      let hello = WorkerMessage.Hello(
        worker: worker, name: configuration.name, processID: Int(getpid()),
        version: protocolVersion, numerics: configuration.kernel.level.arithmeticClass,
        level: configuration.kernel.level.name, threads: configuration.threads,
        memoryBytes: configuration.memoryBytes,
        endpoint: advertised.map { "\($0.withPort(of: bound))" } ?? OwnAddress.told(of: bound),
        publicKey: credentials.flatMap { PublicKey($0.keys.publicKey) },
        machine: configuration.machine, isSpare: configuration.isSpare)
      let disk = try BackgroundQueue(name: "checkpoints")
      let memory = try BackgroundQueue(name: "restore")
      self.notices = notices
      self.pool = pool
      self.disk = disk
      self.memory = memory
      let ending = self.ending
      let started = try DedicatedThread(name: "mesh") {
        let loop = WorkerLoop(
          core: Worker(hello: hello, hasSlots: configuration.checkpoints != nil),
          configuration: configuration, pool: pool, disk: disk, memory: memory, notices: notices,
          gate: gate, coordinator: coordinator,
          control: control.take(), controlMonitor: controlMonitor.take(), data: data.take(),
          dataContext: dataContext, linkOwner: linkOwner, usesIPv6: listen.isIPv6)
        end("worker loop") { () throws(ZeroMQError) in
          let reason = try loop.run()
          ending.update { $0 = reason }
        }
      }
      thread.withLock { $0 = started }
      if let gate, let credentials {
        serverTest = { () throws(MeshError) in
          try SecuritySelfTest.run(
            bound, serverKey: credentials.keys.publicKey, setProbe: gate.setProbe)
        }
      }
    } catch {
      throw MeshError(.badInput, "the worker can't start: \(error.bindProblem("--listen"))")
    }
    do throws(MeshError) {
      try serverTest()
    } catch {
      stop()
      throw error
    }
  }

  /// Why it ended by itself; nil while it runs.
  package var ended: Ending? { ending.read { $0 } }

  /// Asks it to hand over what it hosts and to say goodbye: `ended` tells when that is done.
  package func relieve() { _ = notices.post(.end) }

  /// Says goodbye and ends the threads, whatever it hosts.
  package func stop() {
    _ = notices.post(.stop)
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
    authenticator?.stop()
    pool.cancel()
    pool.stop()
    memory.stop()
    // What it removes and writes is worth a moment. A disk that blocks is not waited for.
    _ = disk.stop(upTo: .seconds(5))
  }
}
