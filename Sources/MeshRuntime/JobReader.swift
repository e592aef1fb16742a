internal import AttentionMasks
package import Checksums
internal import Glibc
package import MeshCore

/// Reads a job's open files: on any thread, for as long as whoever opened them keeps them open.
package struct JobReader: Sendable {
  let spec: AttentionJob
  let inputs: [InputTensor: Int32]
  let outputs: [OutputTensor: Int32]

  func byteCount(_ tensor: InputTensor) -> Int { spec.byteCount(tensor) }

  func byteCount(_ tensor: OutputTensor) -> Int { spec.byteCount(tensor) }

  package func digest(_ tensor: InputTensor) throws(CallFailure) -> Digest {
    try digest(inputs[tensor], count: byteCount(tensor))
  }

  /// Nil of a tensor that the job hasn't.
  func digestIfAny(_ tensor: InputTensor) throws(CallFailure) -> Digest? {
    spec.inputTensors.contains(tensor) ? try digest(tensor) : nil
  }

  /// Of each tensor of the result.
  func resultDigests() throws(CallFailure) -> [Digest] {
    var digests: [Digest] = []
    for tensor in spec.outputTensors { digests.append(try digest(tensor)) }
    return digests
  }

  package func digest(_ tensor: OutputTensor) throws(CallFailure) -> Digest {
    try digest(outputs[tensor], count: byteCount(tensor))
  }

  /// SHA-256 over the messages of a rank's result, in order, as they are stored.
  func digest(of vrank: VRank, plan: Plan) throws(CallFailure) -> Digest {
    let hasher = SHA256()
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Limits.payloadBytesMaximum, alignment: 64)
    defer { buffer.deallocate() }
    for message in plan.resultMessages(of: vrank) {
      for run in plan.outputRuns(message.tile, part: message.part) {
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<run.count])
        try read(run.tensor, at: run.offset, into: target)
        hasher.update(UnsafeRawBufferPointer(target))
      }
    }
    return hasher.finish()
  }

  /// Reads runs of inputs one behind the other into `target`.
  func read(
    _ runs: [ByteRun<InputTensor>], into target: UnsafeMutableRawBufferPointer
  ) throws(CallFailure) {
    var start = 0
    for run in runs {
      let part = UnsafeMutableRawBufferPointer(rebasing: target[start..<start + run.count])
      try read(inputs[run.tensor], at: run.offset, into: part)
      start += run.count
    }
  }

  func read(
    _ tensor: InputTensor, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(CallFailure) {
    try read(inputs[tensor], at: offset, into: target)
  }

  /// What the block map says; nil of a job that has none.
  func blocks() throws(CallFailure) -> BlockMap? {
    guard spec.mask.blocks != nil else { return nil }
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: byteCount(.blockMap), alignment: 64)
    defer { buffer.deallocate() }
    try read(.blockMap, at: 0, into: buffer)
    return spec.blockMap(of: Array(buffer))
  }

  func read(
    _ tensor: OutputTensor, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(CallFailure) {
    try read(outputs[tensor], at: offset, into: target)
  }

  func syncOutputs() throws(CallFailure) { try DiskSync.sync(files: Array(outputs.values)) }

  private func read(
    _ file: Int32?, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(CallFailure) {
    guard let file else { throw CallFailure(.notFound, "the tensor is no longer kept") }
    var done = 0
    while done < target.count {
      let count = pread(
        file, target.baseAddress?.advanced(by: done), target.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw storeFailure("read", count < 0 ? errno : EIO) }
      done += count
    }
  }

  private func digest(_ file: Int32?, count: Int) throws(CallFailure) -> Digest {
    let hasher = SHA256()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < count {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<min(buffer.count, count - offset)])
      try read(file, at: offset, into: part)
      hasher.update(UnsafeRawBufferPointer(part))
      offset += part.count
    }
    return hasher.finish()
  }
}

/// What the store can't do, with the system's reason.
func storeFailure(_ operation: String, _ code: Int32) -> CallFailure {
  let isFull = [ENOSPC, EDQUOT, EMFILE, ENFILE].contains(code)
  let status: StatusCode = isFull ? .resourceExhausted : .internal
  let advice =
    [ENOSPC, EDQUOT].contains(code) ? "; make room there, then submit the job again" : ""
  return CallFailure(
    status,
    "the coordinator's store can't \(operation): \(String(cString: strerror(code)))\(advice)")
}
