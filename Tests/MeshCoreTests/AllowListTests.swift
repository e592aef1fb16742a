import MeshCore
import Testing

/// What a list of keys says, and what is refused as none.
@Suite struct AllowListTests {
  fileprivate static let keys = [
    "4N-vUhXfF:4oatIaX>epd=Cs#o]Iyhl*i(C@Um1#", "MJ=PFb>zxo&HI<l^DwFJy+].:Q&2IRJ9[bL2g{ag",
  ]

  @Test("roles, names, keys and last days are read; comments and empty lines aren't")
  func reading() throws {
    let list = try AllowList(
      parsing: """
        # the workers
        worker w1 \(Self.keys[0])

        \tclient  alice@lab.example\t\(Self.keys[1])  not-after=2026-11-30\r
        """)
    let worker = try #require(PublicKey(Self.keys[0]))
    let client = try #require(PublicKey(Self.keys[1]))
    #expect(list.count == 2)
    #expect(
      list.entry(for: worker, on: "9999-01-01")
        == AllowList.Entry(role: .worker, name: "w1", key: worker))
    let alice = AllowList.Entry(
      role: .client, name: "alice@lab.example", key: client, notAfter: "2026-11-30")
    #expect(list.entry(for: client, on: "2026-11-30") == alice)
    #expect(list.entry(for: client, on: "2026-12-01") == nil)
    #expect(try AllowList(parsing: alice.line).entry(for: client, on: "2000-01-01") == alice)
    #expect(try AllowList(parsing: "").count == 0)
  }

  @Test(
    "a line that says something else is told with its number",
    arguments: [
      "worker w1", "worker w1 key", "boss w1 \(keys[0])", "coordinator hub \(keys[0])",
      "worker w1 \(keys[0]) not-after=tomorrow", "worker w1 \(keys[0]) not-after=2026-13-01",
      "worker w1 \(keys[0]) not-after=2026-1-1", "worker w1 \(keys[0]) before=2026-01-01",
      "worker w1 \(keys[0]) not-after=2026-01-01 more", "worker w/1 \(keys[0])",
      "worker \(String(repeating: "n", count: 64)) \(keys[0])",
      "worker w1 rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
    ])
  func refusals(line: String) {
    do {
      _ = try AllowList(parsing: "# first\n" + line)
      Issue.record("\(line) is no line")
    } catch {
      #expect(error.line == 2 && !error.reason.isEmpty)
    }
  }

  @Test("a key stands there once, and keys are bounded")
  func limits() {
    let line = "worker w1 \(Self.keys[0])\n"
    #expect(throws: AllowList.Problem.self) { try AllowList(parsing: line + line) }
  }

  @Test("a public key is 40 characters of Z85 for 32 bytes")
  func publicKeys() throws {
    for text in Self.keys { #expect(PublicKey(text)?.text == text) }
    let bad = [
      "", Self.keys[0] + "0", String(Self.keys[0].dropLast()), String(repeating: "#", count: 40),
      String(repeating: "~", count: 40), String(Self.keys[0].dropLast(2)) + "é",
    ]
    for text in bad { #expect(PublicKey(text) == nil, "\(text)") }
    // %nSc0 is the largest group: 2³² − 1.
    let most = String(repeating: "%nSc0", count: 8)
    #expect(PublicKey(most) != nil && PublicKey(most.dropLast() + "1") == nil)
  }

  @Test("jobs of others aren't there for a client, and are for an operator")
  func ownership() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    let job = try #require(mesh.submit(client: "alice"))
    let requests: [CallRequest] = [
      .status(job), .start(job), .cancel(job), .result(job), .discard(job), .remove(job),
      .events(EventsRequest(after: 0, job: job)),
    ]
    for request in requests {
      #expect(mesh.call(request, as: .client, client: "bob")?.code == .notFound, "\(request)")
    }
    guard case .success(.jobs(let none)) = mesh.call(.list(), as: .client, client: "bob"),
      case .success(.jobs(let hers)) = mesh.call(.list(), as: .client, client: "alice"),
      case .success(.jobs(let all)) = mesh.call(.list(), as: .viewer, client: "bob")
    else { Issue.record("no lists"); return }
    #expect(none.jobs.isEmpty && none.total == 0)
    #expect(hers.jobs.map(\.job) == [job] && all.jobs.map(\.job) == [job])
    #expect(mesh.call(.status(job), as: .client, client: "alice")?.code == .ok)
    #expect(mesh.call(.cancel(job), as: .operator, client: "bob")?.code == .ok)
  }
}

extension AllowListTests {
  @Test("a worker that comes back to its job has the key that it had")
  func workerKeys() throws {
    let (first, second) = (PublicKey(Self.keys[0]), PublicKey(Self.keys[1]))
    var hello = sampleHello(1)
    hello.publicKey = first
    let mesh = CoordinatorHarness()
    mesh.join(hello)
    let job = try #require(mesh.queue())
    #expect(mesh.table?.peers.first?.publicKey == first && mesh.table?.job == job)
    var impostor = hello
    impostor.publicKey = second
    mesh.join(impostor)
    let words = mesh.effects.compactMap {
      if case .send(.refused(_, let reason), _) = $0 { reason } else { nil }
    }
    #expect(words.count == 1 && words[0].contains("another key"), "\(words)")
    mesh.join(hello)
    #expect(mesh.workers == ["worker-1"])
  }
}
