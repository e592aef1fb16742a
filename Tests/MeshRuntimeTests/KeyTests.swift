import Glibc
import MeshCore
import MeshRuntime
import Testing
import ZeroMQ

/// Keys on disk, and the list of those that are admitted.
@Suite struct KeyTests {
  private let directory: TemporaryStore
  private var path: String { directory.path + "/id" }

  init() throws { directory = try TemporaryStore() }

  private func write(_ text: String, to path: String, mode: mode_t = 0o600) throws {
    unlink(path)
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL, mode)
    try #require(file >= 0)
    let bytes = Array(text.utf8)
    #expect(Glibc.write(file, bytes, bytes.count) == bytes.count)
    fchmod(file, mode)
    close(file)
  }

  @Test("a pair is written for its owner alone, once, and read back")
  func pair() throws {
    let made = try KeyFile.make(path, role: "client", name: "alice")
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(stat(path + ".pub", &status) == 0 && status.st_mode & 0o777 == 0o644)
    let read = try KeyFile(reading: path)
    #expect(read.keys == made.keys && read.role == "client" && read.name == "alice")
    #expect(read.publicLine == "client alice \(made.keys.publicKey)")
    #expect(throws: MeshError.self) { try KeyFile.make(path, role: "client", name: "alice") }
    #expect(try KeyFile(reading: path).keys == made.keys)
    unlink(path)
    // A public half that somebody may use isn't replaced either.
    #expect(throws: MeshError.self) { try KeyFile.make(path, role: "client", name: "alice") }
  }

  @Test(
    "a file that others can read is refused, whoever they are", arguments: [0o640, 0o604, 0o660])
  func permissions(mode: Int) throws {
    _ = try KeyFile.make(path, role: "worker", name: "w")
    chmod(path, mode_t(mode))
    #expect { try KeyFile(reading: path) } throws: { "\($0)".contains("others can read it") }
    chmod(path, 0o400)
    _ = try KeyFile(reading: path)
  }

  @Test("what is no pair is refused, with the file's name and never with its content")
  func damage() throws {
    let keys = try CurveKeyPair.make()
    let good = "role worker\nname w\nsecret-key \(keys.secretKey)\n"
    try write(good, to: path)
    _ = try KeyFile(reading: path)
    var bad = ["", "role worker\nname w\n", good + "role worker\n", good + "more 1\n"]
    bad.append(good.replacing("role worker", with: "role boss"))
    bad.append(good.replacing("name w", with: "name w/1"))
    bad.append(good.replacing(keys.secretKey, with: String(keys.secretKey.dropLast())))
    // The pair of libzmq's manual: everybody has its secret half.
    bad.append(
      good.replacing(keys.secretKey, with: "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"))
    for text in bad {
      try write(text, to: path)
      #expect {
        try KeyFile(reading: path)
      } throws: { error in
        "\(error)".contains(path) && !"\(error)".contains(keys.secretKey)
      }
    }
    #expect(throws: MeshError.self) { try KeyFile(reading: directory.path) }
    #expect(throws: MeshError.self) { try KeyFile(reading: "/dev/zero") }
    #expect(throws: MeshError.self) { try KeyFile(reading: directory.path + "/none") }
  }

  @Test("a coordinator's key is a key or a .pub file of a coordinator")
  func coordinatorKeys() throws {
    let hub = try KeyFile.make(path, role: "coordinator", name: "hub")
    #expect(try coordinatorKey(path + ".pub").text == hub.keys.publicKey)
    #expect(try coordinatorKey(hub.keys.publicKey).text == hub.keys.publicKey)
    let worker = directory.path + "/w"
    _ = try KeyFile.make(worker, role: "worker", name: "w")
    for text in [worker + ".pub", path, directory.path, "", "nothing"] {
      #expect(throws: MeshError.self, "\(text)") { try coordinatorKey(text) }
    }
  }

  @Test("a file whose path has as many characters as a key is a file")
  func pathLikeKey() throws {
    let name = String(repeating: "k", count: 40 - ".pub".count - directory.path.count - 1)
    let path = directory.path + "/" + name
    let hub = try KeyFile.make(path, role: "coordinator", name: "hub")
    #expect((path + ".pub").count == hub.keys.publicKey.count)
    #expect(try coordinatorKey(path + ".pub").text == hub.keys.publicKey)
  }

  @Test("files from other systems are read: carriage returns, a byte-order mark, blanks at the end")
  func otherSystems() throws {
    let keys = try CurveKeyPair.make()
    let pair = "# pair\nrole worker\nname w\nsecret-key \(keys.secretKey)\n"
    let hub = "coordinator hub \(keys.publicKey)\n"
    let list =
      "# all\nworker w \(keys.publicKey)\n\nclient c \(try CurveKeyPair.make().publicKey)\n"
    func variants(_ text: String) -> [String] {
      let windows = text.replacing("\n", with: "\r\n")
      return [
        text, windows, "\u{FEFF}" + text, "\u{FEFF}" + windows, text.replacing("\n", with: " \n"),
      ]
    }
    for text in variants(pair) {
      try write(text, to: path)
      #expect(try KeyFile(reading: path).keys == keys)
    }
    for text in variants(hub) {
      try write(text, to: path, mode: 0o644)
      #expect(try coordinatorKey(path).text == keys.publicKey)
    }
    for text in variants(list) {
      try write(text, to: path, mode: 0o644)
      #expect(try AllowGate(keys: keys, allow: path).entry(keys.publicKey)?.name == "w")
    }
    #expect(try coordinatorKey(keys.publicKey + "\r\n").text == keys.publicKey)
  }

  @Test("one half given for the other, and other programs' keys, are named as what they are")
  func exchanged() throws {
    func says(_ words: String..., of body: () throws -> Void) {
      #expect {
        try body()
      } throws: { error in
        words.allSatisfy { "\(error)".contains($0) }
      }
    }
    _ = try KeyFile.make(path, role: "worker", name: "w1")
    says("public half of w1's key", "the pair: \(path)") {
      _ = try KeyFile(reading: path + ".pub")
    }
    says("it is a key pair", ".pub file") { _ = try coordinatorKey(path) }
    says("key of the worker w1") { _ = try coordinatorKey(path + ".pub") }
    let gateKeys = try CurveKeyPair.make()
    says("it is a key pair, not a list") { _ = try AllowGate(keys: gateKeys, allow: path) }
    let other = directory.path + "/ssh"
    try write("-----BEGIN OPENSSH PRIVATE KEY-----\n", to: other)
    says("another program", "attnmesh keygen") { _ = try KeyFile(reading: other) }
    try write("coordinator hub \(gateKeys.publicKey)\n", to: other, mode: 0o644)
    says("coordinator is no role", "--coordinator-key") {
      _ = try AllowGate(keys: gateKeys, allow: other)
    }
  }

  @Test("a list is read again when it changes; one that can't be read leaves the old one in force")
  func rereading() throws {
    let (ann, bob) = (try CurveKeyPair.make(), try CurveKeyPair.make())
    let line = "client ann \(ann.publicKey)\n"
    try write(line, to: path, mode: 0o644)
    let gate = try AllowGate(keys: .make(), allow: path)
    #expect(gate.admits(ann.publicKey) && !gate.admits(bob.publicKey))
    #expect(
      gate.takeRefusals() == "1 connection, key \(bob.publicKey)" && gate.takeRefusals() == nil)
    guard case .none = gate.refresh() else { Issue.record("nothing has changed"); return }
    try write("nonsense\n", to: path, mode: 0o644)
    #expect(look(gate) == "none", "it may still be written")
    #expect(look(gate) == "unreadable" && look(gate) == "none", "told once a minute")
    #expect(gate.entry(ann.publicKey)?.name == "ann")
    try write("operator bob \(bob.publicKey)\n", to: path, mode: 0o644)
    #expect(look(gate) == "none" && look(gate) == "1")
    #expect(gate.entry(ann.publicKey) == nil && gate.entry(bob.publicKey)?.role == .operator)
    #expect(gate.entry(nil) == nil && gate.entry("nonsense") == nil)
    // A list that others can write admits whom they like, and one of nobody was cut short.
    for (text, mode) in [(line, 0o666), ("# nobody\n", 0o644), ("", 0o644)] {
      try write(text, to: path, mode: mode_t(mode))
      #expect(look(gate) == "none" && look(gate) == "unreadable", "\(text)")
      #expect(gate.entry(bob.publicKey) != nil)
      #expect(throws: MeshError.self) { try AllowGate(keys: .make(), allow: path) }
    }
    try write("operator bob \(bob.publicKey)\n", to: path, mode: 0o644)
    #expect(look(gate) == "none" && look(gate) == "1")
    unlink(path)
    #expect(look(gate) == "unreadable" && gate.entry(bob.publicKey) != nil)
  }

  @Test("half a list that is being written is not taken, also when that begins as it is read")
  func halfWritten() throws {
    let (ann, bob) = (try CurveKeyPair.make(), try CurveKeyPair.make())
    let (first, second) = ("client ann \(ann.publicKey)\n", "operator bob \(bob.publicKey)\n")
    try write(second, to: path, mode: 0o644)
    let gate = try AllowGate(keys: .make(), allow: path)
    try write(first + second, to: path, mode: 0o644)
    #expect(gate.newVersion() == nil)
    let version = try #require(gate.newVersion())
    // An editor begins: what it has written so far is a list, or is none.
    for half in [first, "client ann"] {
      try write(half, to: path, mode: 0o644)
      #expect(told(gate.take(version)) == "none", "\(half)")
      #expect(gate.entry(bob.publicKey) != nil)
    }
    try write(first + second + "# done\n", to: path, mode: 0o644)
    #expect(look(gate) == "none" && look(gate) == "2")
    #expect(gate.entry(ann.publicKey) != nil && gate.entry(bob.publicKey) != nil)
  }

  private func look(_ gate: AllowGate) -> String { told(gate.refresh()) }

  private func told(_ change: AllowGate.Change) -> String {
    switch change {
    case .none: "none"
    case .reread(let count): "\(count)"
    case .unreadable: "unreadable"
    }
  }

  @Test("the self-test notices a door that is open to everybody, or to nobody")
  func selfTest() throws {
    for (answer, isGuarded) in [
      (Authenticator.Answer.admit, true), (.refuse, true), (.admit, false),
    ] {
      let context = try Context()
      let keys = try CurveKeyPair.make()
      let authenticator = isGuarded ? try Authenticator(context) { _ in answer } : nil
      var options = SocketOptions(
        sendHighWaterMark: 4, receiveHighWaterMark: 4, maximumFrameBytes: 4_096)
      options.security = .server(keys)
      let socket = try OwnedSocket(.router, context: context, options: options)
      let endpoint = try socket.socket.bind("tcp://127.0.0.1:*")
      #expect(throws: MeshError.self, "\(answer) \(isGuarded)") {
        try SecuritySelfTest.run(
          endpoint, serverKey: keys.publicKey, patience: .milliseconds(500)
        ) { _ in }
      }
      authenticator?.stop()
    }
  }
}
