import ElementTypes
import Glibc
import TensorFiles
import Testing

struct HostileFileTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  @Test(
    "what is no file and no pipe is refused at once: device, directory, loop, nothing",
    .timeLimit(.minutes(10)))
  func notRegular() throws {
    for name in ["x.npy", "x.safetensors"] {
      let path = "\(directory.path)/\(name)"
      try #require(symlink("/dev/zero", path) == 0)
      expectRefusal(path, .unsupported, "not a regular file")
      unlink(path)
      try #require(symlink("/", path) == 0)
      expectRefusal(path, .unsupported, "directory")
      unlink(path)
      try #require(symlink(path, path) == 0)
      expectRefusal(path, .system(code: ELOOP), "cannot open")
      unlink(path)
      expectRefusal(path, .system(code: ENOENT), path, "No such file")
      expectRefusal("/proc/self/cmdline/\(name)", .system(code: ENOTDIR))
      try directory.write([], as: name)
      expectRefusal(path, .malformed)
      unlink(path)
    }
  }

  @Test("a sparse file of a tebibyte costs nothing to open, to refuse or to read in part")
  func tebibyte() throws {
    let header = npyHeader(shape: "(262144, 1048576)")
    let path = try directory.write(npy(header), as: "x.npy")
    let size = npy(header).count + 1 << 40
    expectRefusal(path, .malformed, "1099511627776 bytes", "0 are there")
    try directory.write(npy(header), as: "x.npy", sparseByteCount: size)
    let file = try TensorFile(opening: path)
    #expect(file.byteCount == 1 << 40)
    var bytes = [UInt8](repeating: 1, count: 16)
    try bytes.withUnsafeMutableBytes { try file.read(at: 1 << 40 - 16, into: $0) }
    #expect(bytes == [UInt8](repeating: 0, count: 16))
    try directory.write([], as: "zero.npy", sparseByteCount: 1 << 40)
    expectRefusal("\(directory.path)/zero.npy", .malformed, "NUMPY")
    try directory.write([], as: "zero.safetensors", sparseByteCount: 1 << 40)
    expectRefusal("\(directory.path)/zero.safetensors", .malformed, "begin with {")
  }

  @Test("bytes beyond 4 GiB are read from where they are")
  func beyondFourGibibytes() throws {
    let header = npy(npyHeader(shape: "(5, 268435456)"))
    let path = try directory.write(
      header, as: "x.npy", sparseByteCount: header.count + 5 << 30)
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    defer { close(descriptor) }
    let mark: [UInt8] = [1, 2, 3, 4]
    let offset = 9 << 29
    try #require(pwrite(descriptor, mark, 4, off_t(header.count + offset)) == 4)
    let file = try TensorFile(opening: path)
    var bytes = [UInt8](repeating: 9, count: 8)
    try bytes.withUnsafeMutableBytes { try file.read(at: offset - 4, into: $0) }
    #expect(bytes == [0, 0, 0, 0, 1, 2, 3, 4])
  }

  @Test("a file that shrinks after it was opened is an error, not a crash")
  func shrinking() throws {
    let path = try directory.write(npy(npyHeader(shape: "(4096,)"), data: 16384), as: "x.npy")
    let file = try TensorFile(opening: path)
    try #require(truncate(path, 1000) == 0)
    let error = #expect(throws: TensorFileError.self) { _ = try contents(of: file) }
    #expect(error?.kind == .malformed)
    #expect(error?.description.contains("became shorter") == true)
  }

  @Test("every prefix and every flipped bit of a sound file reads or throws")
  func prefixesAndFlips() throws {
    let subjects = [
      (Fixture.version1, "x.npy", 128), (Fixture.version2, "x.npy", 128),
      (Fixture.version3, "x.npy", 128), (Fixture.safetensors, "x.safetensors", 216),
    ]
    for (bytes, name, headerCount) in subjects {
      let location = "\(directory.path)/\(name)" + (name == "x.npy" ? "" : ":weights")
      for count in 0..<bytes.count {
        try directory.write(Array(bytes.prefix(count)), as: name)
        #expect(refusal(location) != nil, "prefix of \(count)")
      }
      for bit in 0..<(headerCount * 8) {
        var flipped = bytes
        flipped[bit / 8] ^= 1 << (bit % 8)
        try directory.write(flipped, as: name)
        tryReading(location)
      }
    }
  }

  @Test("ten thousand seeded mutations of each header read or throw", arguments: [1, 2])
  func mutations(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    let subjects = [(Fixture.version1, "x.npy", 128), (Fixture.safetensors, "x.safetensors", 216)]
    let pieces = [
      "9223372036854775807", "-1", "0", "{", "}", "[", "]", "(", ")", ",", "'", "\"", "\\u",
      "\\uD800", "L", "<f4", "F32", "data_offsets", "shape", ":", "\u{0}", "é", "__metadata__",
    ].map { Array($0.utf8) }
    for (bytes, name, headerCount) in subjects {
      let location = "\(directory.path)/\(name)" + (name == "x.npy" ? "" : ":weights")
      for _ in 0..<5_000 {
        var mutated = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let place = Int.random(in: 0..<min(headerCount, mutated.count), using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: mutated[place] = UInt8.random(in: 0...255, using: &random)
          case 1: mutated.remove(at: place)
          case 2:
            let piece = pieces[Int.random(in: 0..<pieces.count, using: &random)]
            mutated.insert(contentsOf: piece, at: place)
          default:
            let end = min(mutated.count, place + Int.random(in: 1...24, using: &random))
            mutated.insert(contentsOf: mutated[place..<end], at: place)
          }
          if mutated.count < 16 { break }
        }
        if Bool.random(using: &random) && name != "x.npy" && mutated.count >= 8 {
          // A length that still fits lets the mutation reach the parser.
          let length = max(0, mutated.count - 8 - 36)
          for index in 0..<8 { mutated[index] = UInt8(length >> (8 * index) & 255) }
        }
        try directory.write(mutated, as: name)
        tryReading(location)
      }
    }
  }

  /// Opens and reads; what opens must be consistent, and what does not must say so in one line.
  private func tryReading(_ location: String) {
    do throws(TensorFileError) {
      let file = try TensorFile(opening: location)
      let count = file.shape.reduce(file.element.byteCount, *)
      #expect(count == file.byteCount && count > 0)
      #expect(throws: Never.self) { _ = try contents(of: file) }
    } catch {
      #expect(!error.description.contains("\n") && error.description.count < 500)
    }
  }
}
