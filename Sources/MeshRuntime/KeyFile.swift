internal import Glibc
package import MeshCore
internal import TensorFiles
package import ZeroMQ

/// A key pair on disk: who a process is to the mesh. Text, for its owner alone:
///
///     # attnmesh key pair: whoever has this file is NAME to the mesh
///     role ROLE
///     name NAME
///     secret-key SECRETKEY
///
/// The public half lies beside it in FILE.pub, as the line of an allow-list.
package struct KeyFile: Sendable {
  /// What the key is for: a role of the allow-list, or "coordinator".
  package let role: String
  package let name: String
  package let keys: CurveKeyPair

  package static let roles = Role.allCases.map { "\($0)" } + ["coordinator"]

  /// The line that admits the key; a coordinator's is what `--coordinator-key` reads.
  package var publicLine: String { "\(role) \(name) \(keys.publicKey)" }

  /// Makes a pair and writes both files. Neither may exist.
  package static func make(_ path: String, role: String, name: String) throws(MeshError) -> KeyFile
  {
    let keys: CurveKeyPair
    do throws(ZeroMQError) {
      keys = try CurveKeyPair.make()
    } catch {
      throw MeshError(.badInput, "no keys can be made: \(error.description)")
    }
    let file = KeyFile(role: role, name: name, keys: keys)
    let text = """
      # attnmesh key pair: whoever has this file is \(name) to the mesh
      role \(role)
      name \(name)
      secret-key \(keys.secretKey)

      """
    let publicPath = path + ".pub"
    guard access(publicPath, F_OK) != 0 else {
      throw MeshError(.badInput, "\(publicPath) is there already; give another --output")
    }
    try write(text, to: path, mode: 0o600)
    do throws(MeshError) {
      try write(file.publicLine + "\n", to: publicPath, mode: 0o644)
    } catch {
      unlink(path)
      throw error
    }
    return file
  }

  /// Removes both files of a pair that was just made.
  package static func remove(_ path: String) {
    unlink(path)
    unlink(path + ".pub")
  }

  /// Reads a pair that its owner alone can read.
  package init(reading path: String) throws(MeshError) {
    func problem(_ reason: String) -> MeshError {
      MeshError(.badInput, "--identity \(path): \(reason)")
    }
    let (text, status) = try readSmallFile(path, flag: "--identity")
    if let other = Self.otherFile(text, path: path) { throw problem(other) }
    guard status.st_mode & 0o077 == 0 else {
      throw problem("others can read it; say chmod 600, and make a new key if they may have")
    }
    guard status.st_uid == geteuid() || geteuid() == 0 else {
      throw problem("it belongs to another user")
    }
    var fields: [String: String] = [:]
    for line in lines(ofFile: text) {
      let parts = line.split(whereSeparator: \.isWhitespace)
      guard let first = parts.first, !first.hasPrefix("#") else { continue }
      guard parts.count == 2, fields[String(first)] == nil else { throw problem(Self.advice) }
      fields[String(first)] = String(parts[1])
    }
    guard let role = fields["role"], Self.roles.contains(role), let name = fields["name"],
      PeerName.isValid(name), let secretKey = fields["secret-key"], fields.count == 3,
      let keys = CurveKeyPair(secretKey: secretKey), PublicKey(keys.publicKey) != nil
    else { throw problem(Self.advice) }
    self.init(role: role, name: name, keys: keys)
  }

  private static let advice = "it is no key file; `attnmesh keygen` makes one"

  /// What a text is that was given for a pair, and what to give instead; nil where it isn't known.
  private static func otherFile(_ text: String, path: String) -> String? {
    if let line = PublicLine(text) {
      let pair = path.hasSuffix(".pub") ? ": \(path.dropLast(4))" : ""
      return "it is only the public half of \(line.name)'s key; give the file of the pair\(pair)"
    }
    guard text.hasPrefix("-----BEGIN ") || text.hasPrefix("ssh-") else { return nil }
    return "it is a key of another program; `attnmesh keygen` makes one for attnmesh"
  }

  private init(role: String, name: String, keys: CurveKeyPair) {
    self.role = role
    self.name = name
    self.keys = keys
  }

  private static func write(_ text: String, to path: String, mode: mode_t) throws(MeshError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    guard descriptor >= 0 else {
      let reason =
        errno == EEXIST
        ? "is there already; give another --output" : systemReason(errno, at: path)
      throw MeshError(.badInput, "\(path): \(reason)")
    }
    let bytes = Array(text.utf8)
    // Whatever umask says, the secret half is its owner's and the public half everybody's.
    let isWritten =
      fchmod(descriptor, mode) == 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count
      && fsync(descriptor) == 0
    let code = errno
    close(descriptor)
    guard isWritten else {
      unlink(path)
      throw MeshError(.badInput, "\(path): \(String(cString: strerror(code)))")
    }
  }
}

/// The one line of a .pub file.
private struct PublicLine {
  let role: String
  let name: String
  let key: PublicKey

  init?(_ text: String) {
    let filled = lines(ofFile: text).filter { !$0.allSatisfy(\.isWhitespace) }
    let fields = filled.first?.split(whereSeparator: \.isWhitespace) ?? []
    guard filled.count == 1, fields.count == 3, KeyFile.roles.contains(String(fields[0])),
      let key = PublicKey(String(fields[2]))
    else { return nil }
    (role, name) = (String(fields[0]), String(fields[1]))
    self.key = key
  }
}

/// Whether a text holds the secret half of a key, which is shown to nobody.
func isKeyPair(_ text: String) -> Bool {
  lines(ofFile: text).contains { $0.hasPrefix("secret-key ") }
}

/// The key that a coordinator has to prove: the key itself, or the path of its `.pub` file.
package func coordinatorKey(_ text: String) throws(MeshError) -> PublicKey {
  // A path may look like a key: it has as many characters, and no other ones than a key may have.
  if access(text, F_OK) != 0, let key = PublicKey(String(text.filter { !$0.isWhitespace })) {
    return key
  }
  func problem(_ reason: String) -> MeshError {
    MeshError(.badInput, "--coordinator-key \(text): \(reason)")
  }
  let (content, _) = try readSmallFile(text, flag: "--coordinator-key")
  if isKeyPair(content) {
    throw problem("it is a key pair, which its owner alone should have; give its .pub file")
  }
  guard let line = PublicLine(content) else {
    throw problem(
      "it is neither a public key of \(PublicKey.length) characters nor a coordinator's .pub file")
  }
  guard line.role == "coordinator" else {
    throw problem(
      "it is the key of the \(line.role) \(line.name); give the coordinator's .pub file")
  }
  return line.key
}

/// A small text file, and what the system says of it.
func readSmallFile(_ path: String, flag: String) throws(MeshError) -> (text: String, stat) {
  func problem(_ reason: String) -> MeshError { MeshError(.badInput, "\(flag) \(path): \(reason)") }
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard descriptor >= 0 else { throw problem(systemReason(errno, at: path)) }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
    throw problem("it is no regular file")
  }
  guard status.st_size <= Limits.keyFileBytesMaximum else {
    throw problem("it has more than \(Limits.keyFileBytesMaximum) bytes")
  }
  var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
  var count = 0
  while count < bytes.count {
    let more = bytes.withUnsafeMutableBytes { buffer in
      pread(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count, off_t(count))
    }
    if more < 0, errno == EINTR { continue }
    guard more > 0 else { break }
    count += more
  }
  guard let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
    let isUTF16 = bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
    throw problem(isUTF16 ? "it is UTF-16; save it as UTF-8" : "it is no text")
  }
  return (text, status)
}
