internal import Glibc
package import MeshCore
internal import MeshJournal
internal import ZeroMQ

/// A running coordinator: two threads, one for control and one for the store, so that heartbeats
/// never wait for a disk.
package final class CoordinatorService: Sendable {
  /// How it is set up.
  package struct Configuration: Sendable {
    /// Where clients and workers reach the control socket.
    package var controlEndpoint: String
    /// Where they reach the store's data socket.
    package var dataEndpoint: String
    /// Under which address workers and clients reach the control socket; the data socket is one port
    /// above. Nil for the bound ones, or the machine's name if that is every address.
    package var advertised: String?
    /// Directory of the store; nil for files without names in the temporary directory.
    package var store: String?
    package var diskQuotaBytes: Int
    package var retention: Duration
    package var stragglers: StragglerPolicy
    /// Whether nobody joins once a job was submitted.
    package var isClosed: Bool
    /// Jobs wait for so many workers.
    package var workersMinimum: Int
    /// Keys, and who is admitted; nil for everybody.
    package var gate: AllowGate?
    package var log: ObservationLog
    /// Where its loop publishes its state; nil when nobody watches.
    package var board: StatusBoard<CoordinatorReport>?

    package init(
      controlEndpoint: String, dataEndpoint: String, advertised: String?, store: String?,
      diskQuotaBytes: Int, retention: Duration, stragglers: StragglerPolicy = .report,
      isClosed: Bool = false, workersMinimum: Int = 0, gate: AllowGate? = nil, log: ObservationLog,
      board: StatusBoard<CoordinatorReport>? = nil
    ) {
      self.controlEndpoint = controlEndpoint
      self.dataEndpoint = dataEndpoint
      self.advertised = advertised
      self.store = store
      self.diskQuotaBytes = diskQuotaBytes
      self.retention = retention
      self.stragglers = stragglers
      self.isClosed = isClosed
      self.workersMinimum = workersMinimum
      self.gate = gate
      self.log = log
      self.board = board
    }
  }

  package let controlEndpoint: String
  package let dataEndpoint: String
  /// Where others reach the control socket.
  package let toldEndpoint: String
  private let notices: Mailbox<CoordinatorLoop.Notice>
  private let orders: Mailbox<StoreLoop.Order>
  private let background: BackgroundQueue
  private let journal: JournalQueue?
  private let keyReader: BackgroundQueue?
  private let threads: [DedicatedThread]
  private let authenticators: [Authenticator]

  /// Binds the sockets and starts the threads.
  package init(_ configuration: Configuration) throws(MeshError) {
    let (directory, images, reopened) = try Self.store(configuration.store)
    let kept = configuration.store.map { EventKeeper.open($0) }
    let controlAddress = try Endpoint(configuration.controlEndpoint, flag: "--listen")
      .forListening(flag: "--listen")
    let dataAddress = try Endpoint(configuration.dataEndpoint, flag: "--listen")
      .forListening(flag: "--listen")
    let advertised = try configuration.advertised.map { text throws(MeshError) in
      try Endpoint(text, flag: "--advertise").forTelling(flag: "--advertise")
    }
    do throws(ZeroMQError) {
      let control = try Context()
      let data = try Context()
      let gate = configuration.gate
      var authenticators: [Authenticator] = []
      if let gate {
        for context in [control, data] {
          authenticators.append(
            try Authenticator(context) { gate.admits($0) ? .admit : .refuse })
        }
      }
      self.authenticators = authenticators
      let security = gate.map { SocketSecurity.server($0.keys) } ?? .none
      var (controlOptions, dataOptions) = (Sockets.control(security), Sockets.data(security))
      controlOptions.usesIPv6 = controlAddress.isIPv6
      dataOptions.usesIPv6 = dataAddress.isIPv6
      let controlSocket = Handover(
        try OwnedSocket(.router, context: control, options: controlOptions))
      let dataSocket = Handover(try OwnedSocket(.router, context: data, options: dataOptions))
      let controlMonitor = Handover(
        try gate.map { _ throws(ZeroMQError) in try SocketMonitor(controlSocket.take()) })
      let controlBound = try controlSocket.take().socket.bind("\(controlAddress)")
      let dataBound = try dataSocket.take().socket.bind("\(dataAddress)")
      (controlEndpoint, dataEndpoint) = (controlBound, dataBound)
      toldEndpoint =
        advertised.map { "\($0.withPort(of: controlBound))" } ?? OwnAddress.told(of: controlBound)
      let toldData =
        advertised.map { "\($0.next.withPort(of: dataBound))" } ?? OwnAddress.told(of: dataBound)
      let notices = try Mailbox<CoordinatorLoop.Notice>(capacity: Limits.mailboxEventsMaximum)
      let orders = try Mailbox<StoreLoop.Order>(capacity: Limits.mailboxEventsMaximum)
      // A small job doesn't wait for a large one's digests, nor for each of its own syncs in turn.
      let background = try BackgroundQueue(name: "store-io", width: 4)
      var generator = SystemRandomNumberGenerator()
      var rules = Coordinator.Configuration(
        term: directory.term,
        storeEndpoint: toldData,
        diskQuotaBytes: configuration.diskQuotaBytes, retention: configuration.retention,
        stragglers: configuration.stragglers, seed: generator.next(),
        wallSeconds: WallClock.seconds)
      rules.isClosed = configuration.isClosed
      rules.workersMinimum = configuration.workersMinimum
      // Where nobody joins any more, all are here before a job is.
      rules.settling = configuration.isClosed ? .zero : Limits.settlingTime
      rules.isPersistent = directory.journal != nil
      let now = MonotonicClock.now
      let start = rules.wallSeconds - now.seconds
      let core = Coordinator(
        configuration: rules, images: images, blocks: reopened.blocks,
        events: kept?.events.map { RecordedEvent($0, start: start) } ?? [],
        workers: kept?.workers ?? [], at: now)
      let log = configuration.log
      let keeper = try kept?.journal.map { journal throws(ZeroMQError) in
        try EventKeeper(journal, after: kept?.events.last?.sequence ?? 0)
      }
      let board = configuration.board
      let journal = try directory.journal.map { journal throws(ZeroMQError) in
        JournalQueue(journal, queue: try BackgroundQueue(name: "journal"))
      }
      let keyReader = try gate.map { _ throws(ZeroMQError) in try BackgroundQueue(name: "keys") }
      let controlThread = try DedicatedThread(name: "control") {
        let loop = CoordinatorLoop(
          core: core, router: controlSocket.take(), routerMonitor: controlMonitor.take(),
          context: control, usesIPv6: controlAddress.isIPv6, notices: notices, orders: orders,
          journal: journal, keeper: keeper, gate: gate, keyReader: keyReader, log: log, board: board
        )
        end("control loop") { () throws(ZeroMQError) in try loop.run() }
      }
      let storeThread = try DedicatedThread(name: "store") {
        let loop = StoreLoop(
          router: dataSocket.take(), orders: orders, directory: directory, reopened: reopened,
          background: background, gate: gate
        ) {
          _ = notices.post(.store($0))
        }
        end("store loop") { () throws(ZeroMQError) in try loop.run() }
      }
      self.notices = notices
      self.orders = orders
      self.background = background
      self.journal = journal
      self.keyReader = keyReader
      threads = [controlThread, storeThread]
      if let problem = kept?.problem {
        _ = notices.post(.noted(Observation(.storeAlarm, detail: problem)))
      }
    } catch {
      throw MeshError(.badInput, "the coordinator can't start: \(error.bindProblem("--listen"))")
    }
    if let gate = configuration.gate {
      do throws(MeshError) {
        for endpoint in [controlEndpoint, dataEndpoint] {
          try SecuritySelfTest.run(
            endpoint, serverKey: gate.keys.publicKey, setProbe: gate.setProbe)
        }
      } catch {
        stop()
        throw error
      }
      _ = gate.takeRefusals()
    }
  }

  /// Opens the store, and reads what an earlier coordinator left in it.
  private static func store(
    _ path: String?
  ) throws(MeshError) -> (StoreDirectory, [JobImage], ReopenedJobs) {
    guard let path else {
      return (.unnamed(in: StoreDirectory.temporary), [], ReopenedJobs())
    }
    let directory = try StoreDirectory.open(path)
    var images: [JobImage] = []
    for entry in try directory.entries() { images.append(try JobImage(entry)) }
    let reopened = try directory.reopen(images)
    directory.removeJobs(except: Set(images.map(\.job)))
    return (directory, images, reopened)
  }

  /// Tells that the process of a local worker ended, before its connection does.
  package func processEnded(name: String, reason: String) {
    _ = notices.post(.processEnded(name: name, reason: reason))
  }

  /// Ends both threads.
  package func stop() {
    _ = notices.post(.stop)
    // Its work needs the files that the store's thread closes.
    background.stop()
    _ = orders.post(.stop)
    for thread in threads { thread.join() }
    journal?.stop()
    for authenticator in authenticators { authenticator.stop() }
    // It may read from a disk that blocks.
    _ = keyReader?.stop(upTo: .seconds(1))
  }
}

/// Runs a loop. An error of a live socket is a bug or a system at its limits: nothing can go on.
func end(_ name: String, _ loop: () throws(ZeroMQError) -> Void) {
  do throws(ZeroMQError) {
    try loop()
  } catch {
    preconditionFailure("\(name): \(error)")
  }
}
