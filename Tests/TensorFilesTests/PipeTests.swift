import Glibc
import TensorFiles
import Testing

/// Tensors that come through pipes.
struct PipeTests {
  /// Opens what a thread writes into a pipe, as /dev/fd/N.
  private func open(
    _ bytes: [UInt8], tensor: String = "", endless: Bool = false, late: Bool = false,
    waiting: @escaping (String) -> Void = { _ in }
  ) throws -> TensorFile {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let writeEnd = ends[1]
    defer { close(ends[0]) }
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(bytes, into: writeEnd, endless: endless))
    try #require(
      pthread_create(
        &thread, nil,
        { context in
          if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run() }
          return nil
        }, work.toOpaque()) == 0)
    defer { pthread_join(thread, nil) }
    let location = try TensorLocation.parse("/dev/fd/\(ends[0])\(tensor)")
    do {
      return try TensorFile(location, waiting: waiting)
    } catch {
      // Its writer may still be at it.
      close(ends[0])
      ends[0] = -1
      throw error
    }
  }

  /// Bytes, and perhaps more of them until nobody reads any more.
  private final class Work {
    let bytes: [UInt8]
    let descriptor: Int32
    let endless: Bool

    init(_ bytes: [UInt8], into descriptor: Int32, endless: Bool) {
      self.bytes = bytes
      self.descriptor = descriptor
      self.endless = endless
    }

    func run() {
      var rest = bytes[...]
      // In small pieces, so that headers come in parts.
      while !rest.isEmpty {
        let count = rest.prefix(7).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count <= 0 { break }
        rest = rest.dropFirst(count)
      }
      let zeros = [UInt8](repeating: 0, count: 4_096)
      while endless, rest.isEmpty, write(descriptor, zeros, zeros.count) > 0 {}
      close(descriptor)
    }
  }

  @Test("both formats are known by their first bytes, and read as often as one likes")
  func read() throws {
    let npy = try open(Fixture.version1)
    #expect(npy.shape == [2, 4])
    for _ in 0..<2 { #expect(try contents(of: npy) == Array(Fixture.version1.suffix(32))) }
    let named = try open(Fixture.safetensors, tensor: ":weights")
    #expect(named.shape == [1, 4])
    #expect(try contents(of: named) == hexadecimal("00000000 0000c0bf 00000040 00005040"))
  }

  private func error(_ bytes: [UInt8], tensor: String = "", endless: Bool = false) -> String {
    do {
      _ = try open(bytes, tensor: tensor, endless: endless)
      return "opened"
    } catch {
      return "\(error)"
    }
  }

  @Test("what is wrong with a file is found in a pipe, too")
  func refused() {
    #expect(error([]).contains("nothing came through it"))
    #expect(error(Array(Fixture.version1.prefix(9))).contains("ends within its header"))
    #expect(error(Array(Fixture.version1.prefix(100))).contains("100 found"))
    #expect(error(Array(Fixture.version1.dropLast())).contains("cut short"))
    #expect(error(Fixture.version1 + [0]).contains("goes on"))
    #expect(error(Fixture.version1, tensor: ":q").contains("no tensor is called 'q'"))
    #expect(error(Fixture.safetensors).contains("FILE.safetensors:NAME"))
    #expect(error(hexadecimal("1f8b0800 00000000 0003 0000")).contains("gunzip"))
  }

  @Test("one that never ends is left as soon as it has brought more than its header promises")
  func endless() {
    #expect(error(Fixture.version1, endless: true).contains("goes on after its data"))
    #expect(error([], endless: true).contains("begin with {"))
  }

  @Test("a FIFO is waited for, and who waits says so")
  func fifo() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/q.npy"
    try #require(mkfifo(path, 0o600) == 0)
    #expect(try TensorLocation.parse(path).isReadOnce)
    // The one who is told that nothing comes is the one who sends it.
    let told = Told(path)
    let file = try TensorFile(TensorLocation.parse(path), waiting: told.tell)
    #expect(told.texts.count == 1 && told.texts[0].contains("waiting for a tensor from \(path)"))
    #expect(try contents(of: file) == Array(Fixture.version1.suffix(32)))
  }

  private final class Told {
    let path: String
    var texts: [String] = []

    init(_ path: String) { self.path = path }

    func tell(_ text: String) {
      texts.append(text)
      let descriptor = Glibc.open(path, O_WRONLY)
      _ = write(descriptor, Fixture.version1, Fixture.version1.count)
      close(descriptor)
    }
  }
}
