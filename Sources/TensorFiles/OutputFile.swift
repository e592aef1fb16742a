internal import Glibc

/// A file that appears under its name whole, or not at all.
///
/// It is written without a name where the file system allows that, so that not even `kill -9`
/// leaves anything behind; elsewhere under a hidden `.partial` name, removed when dropped. What
/// replaces a file has its permissions; a symbolic link stays, and what it points to is replaced.
package struct OutputFile: ~Copyable, Sendable {
  private let directory: FileDescriptor
  private let descriptor: FileDescriptor
  /// The target's path as the user spelled it, for messages.
  private let path: String
  /// The target's name within the directory.
  private let name: String
  /// The hidden name to remove when this is dropped; nil while the file has none.
  private var partialName: String?

  /// Opens a new file in the directory of `path`, invisible until `commit`. An existing file there
  /// is not touched. `named` skips the attempt to do without a name.
  ///
  /// - Throws: `.system` where the directory is missing or not writable, or the file that is there
  ///   is write-protected; `.unsupported` where the path is a directory, pipe, device or socket.
  package init(path: String, named: Bool = false) throws(TensorFileError) {
    let (directoryPath, name) = OutputFile.split(try OutputFile.destination(of: path))
    let directoryNumber = open(directoryPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directoryNumber >= 0 else {
      let code = errno
      throw .system(
        code, path, "open the directory '\(printable(directoryPath, limit: 4096))'",
        place: directoryPath,
        advice: code == ENOENT ? "create the directory first" : nil)
    }
    let directory = FileDescriptor(number: directoryNumber)
    let replaced = try OutputFile.replaced(name, in: directory, path: path)
    // Until it has the permissions of what it replaces nobody else may look.
    let mode: mode_t = replaced == nil ? 0o666 : 0o600
    // By hand: Glibc's module does not export the macro. The value is the same on x86-64 and arm64.
    let temporary = 0o20_000_000 | O_DIRECTORY
    var partialName: String?
    var number: Int32 = -1
    // Without /proc an unnamed file could be written but never given its name.
    if !named && access("/proc/self/fd", X_OK) == 0 {
      number = openat(directory.number, ".", temporary | O_WRONLY | O_CLOEXEC, mode)
    }
    if number < 0 {
      for attempt in 0..<100 {
        let candidate = OutputFile.partialName(of: name, attempt: attempt)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
        number = openat(directory.number, candidate, flags, mode)
        if number >= 0 { partialName = candidate }
        if number >= 0 || errno != EEXIST { break }
      }
    }
    guard number >= 0 else {
      throw .system(
        errno, path, "create a file in '\(printable(directoryPath, limit: 4096))'",
        place: directoryPath)
    }
    let descriptor = FileDescriptor(number: number)
    if let replaced { OutputFile.inherit(replaced, number) }
    self.directory = directory
    self.descriptor = descriptor
    self.path = path
    self.name = name
    self.partialName = partialName
  }

  /// Gives a new file the permissions of the one that it replaces. The owner can be kept by an
  /// administrator alone, the group by its members: as far as it goes.
  private static func inherit(_ replaced: stat, _ number: Int32) {
    if fchown(number, replaced.st_uid, replaced.st_gid) != 0 {
      _ = fchown(number, uid_t.max, replaced.st_gid)
    }
    // Fails where a file system has no permissions: then there are none to keep.
    _ = fchmod(number, replaced.st_mode & 0o777)
  }

  deinit {
    if let partialName { unlinkat(directory.number, partialName, 0) }
  }

  /// Sets the length and reserves the disk space, so that a full disk is met before the work that
  /// produces the contents and not after it.
  func reserve(byteCount: Int) throws(TensorFileError) {
    // Asked first: a reservation that fails half-way would starve everybody else meanwhile.
    if let free = descriptor.freeBytes, free < byteCount {
      throw .system(
        ENOSPC, path, "reserve \(byteCount) bytes where \(free) are free",
        advice: "free some space or write elsewhere")
    }
    let code = descriptor.reserve(byteCount)
    guard code == 0 else { throw .system(code, path, "reserve \(byteCount) bytes") }
  }

  /// Writes all the bytes at an offset of the file.
  package func write(at offset: Int, _ bytes: [UInt8]) throws(TensorFileError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try write(at: offset, bytes: UnsafeRawBufferPointer(buffer))
  }

  /// Writes all the bytes at an offset of the file.
  func write(at offset: Int, bytes: UnsafeRawBufferPointer) throws(TensorFileError) {
    try descriptor.write(at: offset, bytes: bytes, path: path)
  }

  /// Makes the contents durable and gives the file its name, replacing what had it.
  ///
  /// - Throws: `.system`. A failed flush is final: the kernel has dropped the bytes it could not
  ///   write, and a second flush would report success without them.
  package consuming func commit() throws(TensorFileError) {
    guard fdatasync(descriptor.number) == 0 else { throw .system(errno, path, "flush") }
    if partialName == nil { try link() }
    guard let partial = partialName else { return }
    guard renameat(directory.number, partial, directory.number, name) == 0 else {
      throw .system(errno, path, "rename the finished file")
    }
    partialName = nil
    // Some file systems cannot flush a directory (EINVAL); the file is there nonetheless.
    if fsync(directory.number) != 0 && errno != EINVAL {
      throw .system(errno, path, "flush its directory")
    }
  }

  /// Gives an unnamed file a hidden name. A link cannot replace, so the target's own comes by a
  /// rename.
  private mutating func link() throws(TensorFileError) {
    let source = "/proc/self/fd/\(descriptor.number)"
    for attempt in 0..<100 {
      let candidate = OutputFile.partialName(of: name, attempt: attempt)
      if linkat(AT_FDCWD, source, directory.number, candidate, AT_SYMLINK_FOLLOW) == 0 {
        partialName = candidate
        return
      }
      if errno != EEXIST { break }
    }
    throw .system(errno, path, "name the finished file")
  }

  /// A hidden name next to the target. Cut, so that it fits wherever the target's own fits.
  private static func partialName(of name: String, attempt: Int) -> String {
    var stem = ""
    stem.unicodeScalars.append(contentsOf: name.unicodeScalars.prefix(40))
    let suffix = attempt == 0 ? "" : ".\(attempt)"
    return ".\(stem).\(getpid())\(suffix).partial"
  }

  /// Where a write to `path` goes: symbolic links at its end are followed, also to a file that isn't
  /// there yet.
  ///
  /// - Throws: `.system` for links that lead nowhere but to each other.
  package static func destination(of path: String) throws(TensorFileError) -> String {
    var destination = path
    for _ in 0..<40 {
      var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
      let count = readlink(destination, &buffer, buffer.count)
      // Most are no links, and some aren't there: what opens them tells.
      guard count >= 0 else { return destination }
      let bytes = buffer[..<count].map { UInt8(bitPattern: $0) }
      guard count < buffer.count, let link = String(validating: bytes, as: UTF8.self) else {
        throw TensorFileError(.unsupported, path, "is a link to a name that is not UTF-8")
      }
      destination = link.hasPrefix("/") ? link : split(destination).directory + "/" + link
    }
    throw .system(ELOOP, path, "follow it")
  }

  static func split(_ path: String) -> (directory: String, name: String) {
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    let directory = String(decoding: bytes[...slash], as: UTF8.self)
    return (directory, String(decoding: bytes[(slash + 1)...], as: UTF8.self))
  }

  /// The regular file that is to be replaced; nil where there is none.
  ///
  /// - Throws: for what a rename could not or should not replace.
  private static func replaced(
    _ name: String, in directory: borrowing FileDescriptor, path: String
  ) throws(TensorFileError) -> stat? {
    var status = stat()
    // A path that ends in a slash has no name: its directory is what is meant.
    let entry = name.isEmpty ? "." : name
    guard fstatat(directory.number, entry, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return nil }
      throw .system(errno, path, "inspect")
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR:
      throw TensorFileError(
        .unsupported, path, "is a directory", advice: "name a file inside it")
    default: throw TensorFileError(.unsupported, path, "exists and is not a regular file")
    }
    // A rename asks the directory alone; who protects a file means the file.
    guard faccessat(directory.number, entry, W_OK, AT_EACCESS) == 0 else {
      throw .system(errno, path, "replace it", advice: "it is write-protected; give another path")
    }
    return status
  }
}
