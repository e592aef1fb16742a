internal import Glibc
internal import MeshCore

/// The tensors of one job on the coordinator's disk: Q, K, V as they were sent, O and log-sum-exp as
/// float32. All files are preallocated, so that a full disk is met at submit and not in mid-run.
final class JobFiles {
  let spec: AttentionJob
  /// O_TMPFILE, which Glibc's module leaves out: a file without a name.
  private static let unnamedFile = O_DIRECTORY | 0o20_000_000

  private let directory: String?
  private var inputs: [InputTensor: Int32] = [:]
  private var outputs: [OutputTensor: Int32] = [:]
  /// Bytes that have arrived of each input: 0 ..< this.
  private(set) var received: [InputTensor: Int] = [:]

  /// Creates and preallocates the files.
  ///
  /// - Parameters:
  ///   - directory: an existing directory.
  ///   - name: of a new directory in it for files that outlive this process; nil for files without
  ///     a name, of which nothing is left when this process ends, however it ends.
  init(spec: AttentionJob, in directory: String, name: String?) throws(CallFailure) {
    self.spec = spec
    self.directory = name.map { directory + "/" + $0 }
    if let path = self.directory, mkdir(path, 0o700) != 0 {
      throw storeFailure("create \(path)", errno)
    }
    do throws(CallFailure) {
      for tensor in InputTensor.allCases {
        inputs[tensor] = try create(in: directory, "\(tensor)", bytes: reader.byteCount(tensor))
        received[tensor] = 0
      }
      for tensor in OutputTensor.allCases {
        outputs[tensor] = try create(in: directory, "\(tensor)", bytes: reader.byteCount(tensor))
      }
    } catch {
      // Nothing is left of a job that the disk has no room for.
      remove()
      throw error
    }
  }

  deinit {
    for file in inputs.values { close(file) }
    for file in outputs.values { close(file) }
  }

  /// For the I/O thread; valid until `removeInputs` or `remove`.
  var reader: JobReader { JobReader(spec: spec, inputs: inputs, outputs: outputs) }

  /// Whether the files have names, and so outlive this process.
  var isNamed: Bool { directory != nil }

  private func create(
    in parent: String, _ name: String, bytes: Int
  ) throws(CallFailure) -> Int32 {
    let path = self.directory.map { $0 + "/" + name } ?? parent
    let flags = self.directory == nil ? Self.unnamedFile | O_RDWR : O_CREAT | O_EXCL | O_RDWR
    let file = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw storeFailure("create \(path)", errno) }
    let status = posix_fallocate(file, 0, off_t(bytes))
    guard status == 0 else {
      close(file)
      if directory != nil { unlink(path) }
      throw storeFailure("reserve \(MeshCore.bytes(bytes)) in \(parent)", status)
    }
    return file
  }

  /// Takes the next bytes of an input. Bytes that were taken before are taken again without effect,
  /// so a client may repeat a call.
  func append(
    _ bytes: UnsafeRawBufferPointer, to tensor: InputTensor, at offset: Int
  ) throws(CallFailure) {
    let have = received[tensor] ?? 0
    guard offset >= 0, offset <= have else {
      throw CallFailure(.outOfRange, "\(tensor) bytes at \(offset); the next are at \(have)")
    }
    guard bytes.count <= reader.byteCount(tensor) - offset else {
      throw CallFailure(
        .outOfRange,
        "\(tensor) has \(reader.byteCount(tensor)) bytes; \(offset + bytes.count) were sent")
    }
    guard offset + bytes.count > have else { return }
    try write(bytes, to: inputs[tensor], at: offset)
    received[tensor] = offset + bytes.count
  }

  /// Why the inputs aren't complete; nil when they are.
  var missing: String? {
    for tensor in InputTensor.allCases where received[tensor] != reader.byteCount(tensor) {
      return
        "\(received[tensor] ?? 0) of \(reader.byteCount(tensor)) bytes of \(tensor) have arrived"
    }
    return nil
  }

  /// Writes a result message to its runs.
  func write(
    _ payload: UnsafeRawBufferPointer, to runs: [ByteRun<OutputTensor>]
  ) throws(CallFailure) {
    var start = 0
    for run in runs {
      let bytes = UnsafeRawBufferPointer(rebasing: payload[start..<start + run.count])
      try write(bytes, to: outputs[run.tensor], at: run.offset)
      start += run.count
    }
  }

  /// Removes the inputs: the job is terminal.
  func removeInputs() {
    for (tensor, file) in inputs {
      close(file)
      if let directory { unlink(directory + "/\(tensor)") }
    }
    inputs = [:]
  }

  /// Removes everything.
  func remove() {
    removeInputs()
    for (tensor, file) in outputs {
      close(file)
      if let directory { unlink(directory + "/\(tensor)") }
    }
    outputs = [:]
    if let directory { rmdir(directory) }
  }
}

// MARK: System calls

extension JobFiles {
  private func write(
    _ bytes: UnsafeRawBufferPointer, to file: Int32?, at offset: Int
  ) throws(CallFailure) {
    guard let file else { throw CallFailure(.notFound, "the tensor is no longer kept") }
    var done = 0
    while done < bytes.count {
      let count = pwrite(
        file, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw storeFailure("write", count < 0 ? errno : EIO) }
      done += count
    }
  }
}
