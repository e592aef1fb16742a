/// A file that is something else than its name says: known by its first bytes, and named with what to
/// do about it.
struct ForeignFile {
  /// As in "FILE is …".
  let kind: String
  let advice: String

  /// Bytes that are looked at.
  private static let prefixBytes = 512

  /// The reason to refuse a file whose first bytes aren't those of a tensor file.
  ///
  /// - Parameters:
  ///   - expected: the extension of what it should be.
  ///   - problem: what to say of a file of no known kind.
  static func refusal(
    of file: borrowing RegularFile, expected: String, otherwise problem: String,
    advice: String? = nil
  ) throws(TensorFileError) -> TensorFileError {
    let prefix = try file.bytes(at: 0, count: min(prefixBytes, file.byteCount))
    guard let found = ForeignFile(prefix, expected: expected) else {
      return TensorFileError(.malformed, file.path, problem, advice: advice)
    }
    return TensorFileError(
      .malformed, file.path, "is no \(expected) file but \(found.kind)", advice: found.advice)
  }

  /// Nil for bytes of no known kind.
  init?(_ prefix: [UInt8], expected: String) {
    if let found = Self.binary(prefix, expected: expected) ?? Self.text(prefix) {
      self = found
    } else {
      return nil
    }
  }

  private init(_ kind: String, _ advice: String) {
    self.kind = kind
    self.advice = advice
  }

  private static func binary(_ prefix: [UInt8], expected: String) -> ForeignFile? {
    func begins(_ bytes: [UInt8]) -> Bool { prefix.starts(with: bytes) }
    func begins(_ text: String) -> Bool { prefix.starts(with: text.utf8) }
    if prefix.isEmpty { return ForeignFile("an empty one", "copy or save it again") }
    if expected != ".npy", begins(NpyHeader.magic) {
      return ForeignFile("a .npy file", "give it a name that ends in .npy")
    }
    if expected != ".safetensors", prefix.count > 9, prefix[3...7].allSatisfy({ $0 == 0 }),
      prefix[8] == UInt8(ascii: "{")
    {
      return ForeignFile("a .safetensors file", "give it a name that ends in .safetensors")
    }
    if begins("PK\u{3}\u{4}") || begins("PK\u{5}\u{6}") { return zip(prefix) }
    if begins([0x80]), prefix.count > 1, (2...5).contains(prefix[1]) {
      return ForeignFile(
        "a Python pickle, which is never loaded since it can run any program",
        "save arrays with numpy.save, tensors with safetensors.torch.save_file")
    }
    let compressed: [([UInt8], String, String)] = [
      ([0x1F, 0x8B], "gzip", "gunzip"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd", "unzstd"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "xz", "unxz"), (Array("BZh".utf8), "bzip2", "bunzip2"),
    ]
    for (magic, name, tool) in compressed where begins(magic) {
      // From standard input, since the tools want names that end in their way.
      return ForeignFile("compressed with \(name)", "unpack it first: \(tool) < FILE > NEW")
    }
    if begins([0x89] + Array("HDF\r\n".utf8)) {
      return ForeignFile("an HDF5 file", "save one data set of it with numpy.save")
    }
    if begins("GGUF") {
      return ForeignFile("a GGUF model", "save its tensors as .safetensors")
    }
    if prefix.count > 262, prefix[257...].starts(with: "ustar".utf8) {
      return ForeignFile("a tar archive", "unpack it first")
    }
    return nil
  }

  /// Both numpy and PyTorch write archives; the name of the first entry tells them apart.
  private static func zip(_ prefix: [UInt8]) -> ForeignFile {
    let length = prefix.count > 30 ? Int(prefix[26]) | Int(prefix[27]) << 8 : 0
    let name = String(decoding: prefix.dropFirst(30).prefix(length), as: UTF8.self)
    if name.hasSuffix(".npy") {
      return ForeignFile(
        "a .npz archive of several arrays",
        "save one of them: numpy.save('x.npy', numpy.load('x.npz')['NAME'])")
    }
    if name.hasSuffix("data.pkl") || name.hasSuffix("/version") || name.contains("/.") {
      return ForeignFile(
        "an archive of torch.save, in which a pickle is that is never loaded",
        "save its tensors with safetensors.torch.save_file")
    }
    return ForeignFile("a zip archive", "unpack it first")
  }

  private static func text(_ prefix: [UInt8]) -> ForeignFile? {
    var bytes = prefix[...]
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    bytes = bytes.drop { $0 == 32 || (9...13).contains($0) }
    // Cut in the middle of a character the end may be invalid: only what can't be text decides.
    guard !bytes.isEmpty, bytes.allSatisfy({ $0 >= 32 ? $0 != 127 : (9...13).contains($0) }),
      bytes.count(where: { $0 >= 128 }) * 4 <= bytes.count
    else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    if text.hasPrefix("version https://git-lfs.github.com/spec/") {
      return ForeignFile(
        "a Git LFS pointer to one", "fetch the file itself with `git lfs pull`")
    }
    let start = text.prefix(64).lowercased()
    if start.hasPrefix("<!doctype html") || start.hasPrefix("<html") || start.hasPrefix("<head") {
      return ForeignFile(
        "a web page",
        "download it again: from the link of the raw file, signed in if that is needed")
    }
    if start.hasPrefix("<?xml") || start.hasPrefix("<error") {
      return ForeignFile("XML, perhaps a server's answer in its place", "download it again")
    }
    let line = text.prefix { !$0.isNewline }
    return ForeignFile(
      "text that begins with '\(printable(String(line), limit: 40))'",
      "look at it: it may be a message in the file's place")
  }
}
