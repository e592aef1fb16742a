internal import Glibc
package import MeshCore

/// The tensors of one job on the coordinator's disk: Q, K, V as they were sent, O and log-sum-exp as
/// float32. All files are preallocated, so that a full disk is met at submit and not in mid-run.
package final class JobFiles {
  /// O_TMPFILE, which Glibc's module leaves out: a file without a name.
  private static let unnamedFile = O_DIRECTORY | 0o20_000_000

  let spec: AttentionJob
  /// Where the files are; nil when they have no names, and so end with this process.
  package let directory: JobDirectory?
  private var inputs: [InputTensor: Int32] = [:]
  private var outputs: [OutputTensor: Int32] = [:]
  /// Bytes that have arrived of each input: 0 ..< this.
  private(set) var received: [InputTensor: Int] = [:]

  /// Creates and preallocates the files.
  ///
  /// - Parameters:
  ///   - parent: an existing directory.
  ///   - name: of a new directory in it for files that outlive this process; nil for files without
  ///     a name, of which nothing is left when this process ends, however it ends.
  init(spec: AttentionJob, in parent: String, name: String?) throws(CallFailure) {
    self.spec = spec
    if let name {
      directory = try JobDirectory(creating: parent + "/" + name)
    } else {
      directory = nil
    }
    do throws(CallFailure) {
      for tensor in spec.inputTensors {
        inputs[tensor] = try create(in: parent, "\(tensor)", bytes: reader.byteCount(tensor))
        received[tensor] = 0
      }
      for tensor in spec.outputTensors {
        outputs[tensor] = try create(in: parent, "\(tensor)", bytes: reader.byteCount(tensor))
      }
    } catch {
      // Nothing is left of a job that the disk has no room for.
      remove()
      throw error
    }
  }

  /// Opens the files of a job that an earlier coordinator sealed. They stay where they are when
  /// they aren't what they should be.
  ///
  /// - Parameter needsInputs: false for a job that is over; inputs that a crash left are removed.
  init(
    reopening spec: AttentionJob, in directory: JobDirectory, needsInputs: Bool
  ) throws(CallFailure) {
    self.spec = spec
    self.directory = directory
    for tensor in spec.outputTensors {
      outputs[tensor] = try directory.reopen("\(tensor)", bytes: reader.byteCount(tensor))
    }
    guard needsInputs else {
      removeInputs()
      return
    }
    for tensor in spec.inputTensors {
      inputs[tensor] = try directory.reopen("\(tensor)", bytes: reader.byteCount(tensor))
      received[tensor] = reader.byteCount(tensor)
    }
  }

  deinit {
    for file in inputs.values { close(file) }
    for file in outputs.values { close(file) }
  }

  /// For the I/O thread; valid until `removeInputs` or `remove`.
  package var reader: JobReader { JobReader(spec: spec, inputs: inputs, outputs: outputs) }

  private func create(
    in parent: String, _ name: String, bytes: Int
  ) throws(CallFailure) -> Int32 {
    if let directory { return try directory.create(name, bytes: bytes) }
    let file = open(parent, Self.unnamedFile | O_RDWR | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw storeFailure("create a file in \(parent)", errno) }
    let status = posix_fallocate(file, 0, off_t(bytes))
    guard status == 0 else {
      close(file)
      throw storeFailure("reserve \(MeshCore.bytes(bytes)) in \(parent)", status)
    }
    return file
  }

  /// Takes the next bytes of an input. Bytes that were taken before are taken again without effect,
  /// so a client may repeat a call.
  package func append(
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
    for tensor in spec.inputTensors where received[tensor] != reader.byteCount(tensor) {
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
  package func removeInputs() {
    for file in inputs.values { close(file) }
    inputs = [:]
    for name in Self.inputNames { directory?.remove(name) }
  }

  /// Removes everything.
  func remove() {
    removeInputs()
    for file in outputs.values { close(file) }
    outputs = [:]
    if let directory { Self.remove(directory) }
  }

  /// Removes a job's directory with all files that a job may have there.
  static func remove(_ directory: JobDirectory) {
    for name in inputNames + OutputTensor.allCases.map({ "\($0)" }) { directory.remove(name) }
    directory.remove()
  }

  private static let inputNames =
    InputTensor.allCases.map { "\($0)" } + TileChecksums.fileNames
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
