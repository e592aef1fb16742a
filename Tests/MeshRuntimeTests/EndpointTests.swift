import Glibc
import MeshRuntime
import Testing

/// Addresses: what is one, what others are told, and why nobody is reached.
@Suite struct EndpointTests {
  @Test(
    "an address is read, and written as libzmq takes it",
    arguments: [
      ("tcp://10.0.0.1:7700", "tcp://10.0.0.1:7700"),
      ("tcp://localhost:7700", "tcp://127.0.0.1:7700"),
      ("tcp://[::1]:7700", "tcp://[::1]:7700"),
      ("tcp://[fe80::1%eth0]:1", "tcp://[fe80::1%eth0]:1"),
      ("tcp://*:7700", "tcp://0.0.0.0:7700"), ("tcp://[::]:65535", "tcp://[::]:65535"),
      ("tcp://127.0.0.1:0", "tcp://127.0.0.1:*"),
      ("tcp://red-1.example.org:1", "tcp://red-1.example.org:1"),
      ("ipc:///run/a:b", "ipc:///run/a:b"),
    ])
  func read(text: String, is written: String) throws {
    let endpoint = try Endpoint(text, flag: "--listen")
    #expect("\(endpoint)" == written)
    #expect(endpoint.isIPv6 == text.contains("["))
  }

  @Test(
    "what is no address is refused, with the reason",
    arguments: [
      ("tcp://::1:7700", "in brackets"), ("tcp://127.0.0.256:1", "no address"),
      ("tcp://1.2.3:1", "no address"),
      ("tcp://[::g]:1", "no address"), ("tcp://[::1:1", "no address"),
      ("tcp://:7700", "no address"),
      ("tcp://a b:1", "no address"), ("tcp://a:65536", "no port 65536"),
      ("tcp://a:-1", "no port -1"),
      ("tcp://a:x", "no port x"), ("tcp://a", "tcp://HOST:PORT"), ("a:1", "tcp://HOST:PORT"),
      ("udp://a:1", "tcp://HOST:PORT"), ("ipc://", "tcp://HOST:PORT"), ("", "tcp://HOST:PORT"),
    ])
  func refused(text: String, says: String) {
    do throws(MeshError) {
      let endpoint = try Endpoint(text, flag: "--listen")
      Issue.record("\(endpoint)")
    } catch {
      #expect(error.kind == .badInput && error.message.hasPrefix("--listen"), "\(error)")
      #expect(error.message.contains(says), "\(error)")
    }
  }

  @Test("nobody connects to any port, and every address is this machine's for whoever connects")
  func connecting() throws {
    #expect(throws: MeshError.self) {
      try Endpoint("tcp://127.0.0.1:0", flag: "").forConnecting(flag: "--coordinator")
    }
    let every = try Endpoint("tcp://[::]:1", flag: "").forConnecting(flag: "")
    #expect("\(every)" == "tcp://[::1]:1" && every.isLoopback)
    #expect(try !Endpoint("tcp://*:1", flag: "").isLoopback)
    #expect(try !Endpoint("tcp://127.0.0.1.example.org:1", flag: "").isLoopback)
    #expect(
      try Endpoint("tcp://127.0.0.1:1", flag: "").next == Endpoint("tcp://127.0.0.1:2", flag: ""))
    let told = try Endpoint("tcp://red:*", flag: "").withPort(of: "tcp://0.0.0.0:7")
    #expect("\(told)" == "tcp://red:7")
  }

  @Test("a name that isn't known can't be listened at")
  func unknownName() throws {
    do throws(MeshError) {
      _ = try Endpoint("tcp://no-such-host.invalid:1", flag: "").forListening(flag: "--listen")
      Issue.record("it is known")
    } catch {
      #expect(error.message.contains("no-such-host.invalid is not known"))
    }
  }

  @Test(
    "what stands for every address of a machine is told by a name or an address that others know")
  func told() throws {
    #expect(OwnAddress.told(of: "tcp://10.0.0.1:7710", hostName: "red") == "tcp://10.0.0.1:7710")
    #expect(OwnAddress.told(of: "tcp://[fd00::1]:7710", hostName: "red") == "tcp://[fd00::1]:7710")
    #expect(OwnAddress.told(of: "ipc:///run/a", hostName: "red") == "ipc:///run/a")
    for bound in ["tcp://0.0.0.0:7710", "tcp://[::]:7710"] {
      // A name that only means this machine to itself is told where there is nothing better.
      let told = try Endpoint(OwnAddress.told(of: bound, hostName: "localhost"), flag: "")
      #expect(told.port == 7_710)
      if case .every = told.host { Issue.record("\(told) means nothing to others") }
      let named = try Endpoint(
        OwnAddress.told(of: bound, hostName: "no-such-host.invalid"), flag: "")
      if case .every = named.host { Issue.record("\(named) means nothing to others") }
    }
  }

  /// A socket that listens on loopback; the port is the kernel's choice.
  @Test("nobody is told an address that leads them to themselves")
  func telling() throws {
    for text in ["tcp://*:5555", "tcp://0.0.0.0:7", "tcp://[::]:7"] {
      #expect(throws: MeshError.self) {
        try Endpoint(text, flag: "--advertise").forTelling(flag: "--advertise")
      }
    }
    #expect(
      try "\(Endpoint("tcp://10.0.0.2:*", flag: "-").forTelling(flag: "-"))" == "tcp://10.0.0.2:*")
  }

  private func listener(_ family: Int32) throws -> (file: Int32, port: Int)? {
    let file = socket(family, Int32(SOCK_STREAM.rawValue), 0)
    var port: UInt16 = 0
    if family == AF_INET6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_addr = in6addr_loopback
      var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
      let status = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(file, $0, size) + getsockname(file, $0, &size)
        }
      }
      guard status == 0 else { return nil }
      port = UInt16(bigEndian: address.sin6_port)
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let status = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(file, $0, size) + getsockname(file, $0, &size)
        }
      }
      try #require(status == 0)
      port = UInt16(bigEndian: address.sin_port)
    }
    return (file, Int(port))
  }

  @Test("the system tells who listens and who doesn't", arguments: [AF_INET, AF_INET6])
  func reachability(family: Int32) throws {
    // A machine without IPv6 has nothing to test there.
    guard let (file, port) = try listener(family) else { return }
    let host: Endpoint.Host = family == AF_INET6 ? .ipv6("::1") : .ipv4("127.0.0.1")
    let endpoint = Endpoint(host: host, port: port)
    #expect(Reachability.of(endpoint) == .refused, "bound, and not listening")
    #expect(listen(file, 1) == 0)
    #expect(Reachability.of(endpoint) == .open)
    close(file)
    #expect(Reachability.of(endpoint) == .refused)
  }

  @Test("names and paths that lead nowhere are told apart")
  func nowhere() {
    #expect(Reachability.of(Endpoint(host: .path("/nowhere/socket"), port: nil)) == .refused)
    let name = Endpoint(host: .name("no-such-host.invalid"), port: 1)
    #expect(Reachability.of(name) == .unknownName)
    #expect(Reachability.unknownName.explanation(of: name, hasKeys: false).contains("not known"))
  }

  @Test("what is waited for is said at once, when it changes, and every ten seconds")
  func notices() {
    var notice = WaitNotice()
    #expect(!notice.isTold)
    var said: [Int] = []
    for second in 0..<35 {
      let subject = second < 12 ? "workers" : "turn"
      if notice.isDue(subject, at: .seconds(second)) { said.append(second) }
    }
    #expect(said == [0, 10, 12, 22, 32] && notice.isTold)
  }
}
