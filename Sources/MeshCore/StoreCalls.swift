/// An input tensor of a job; `AttentionJob.inputTensors` are those that it has.
package enum InputTensor: UInt8, Sendable, CaseIterable {
  case query = 1
  case key = 2
  case value = 3
  /// Which blocks of queries × keys are seen, as `BlockMap.bytes` has them.
  case blockMap = 4
  /// dO, of a job of gradients.
  case outputGradient = 5
  /// Of each row of each query head the log-sum-exp of all that it sees, in base 2, and
  /// D = rowsum(dO ∘ O) − dLSE: float32 pairs.
  case rowStatistics = 6
}

/// A tensor of a job's result.
package enum OutputTensor: UInt8, Sendable, CaseIterable {
  case output = 1
  case logSumExp = 2
  case queryGradient = 3
  case keyGradient = 4
  case valueGradient = 5
}

/// The requests of the data socket.
package enum StoreRequest: Hashable, Sendable {
  /// A `Chunk` with the bytes comes with it.
  case upload(UploadRequest)
  case read(ReadRequest)

  package var method: Method {
    switch self {
    case .upload: .upload
    case .read: .read
    }
  }
}

/// The replies of the data socket.
package enum StoreReply: Hashable, Sendable {
  case uploaded(UploadReply)
  /// A `Chunk` with the bytes comes with it.
  case read(ReadReply)
}

/// A reply of the store, or why there is none.
package typealias StoreOutcome = Result<StoreReply, CallFailure>

/// Brings bytes of an input tensor. Chunks of one tensor go in order, without holes.
package struct UploadRequest: Hashable, Sendable {
  package var job: JobID
  package var tensor: InputTensor
  /// Byte of the tensor at which the chunk starts.
  package var offset: Int

  package init(job: JobID, tensor: InputTensor, offset: Int) {
    self.job = job
    self.tensor = tensor
    self.offset = offset
  }
}

/// How far an upload has come.
package struct UploadReply: Hashable, Sendable {
  /// Bytes of the tensor that are there, without holes: the offset to go on from.
  package var received: Int

  package init(received: Int) { self.received = received }
}

/// Asks for bytes of a result tensor.
package struct ReadRequest: Hashable, Sendable {
  package var job: JobID
  package var tensor: OutputTensor
  package var offset: Int
  /// Bytes wanted, 1 ... `Limits.payloadBytesMaximum`.
  package var count: Int

  package init(job: JobID, tensor: OutputTensor, offset: Int, count: Int) {
    self.job = job
    self.tensor = tensor
    self.offset = offset
    self.count = count
  }
}

/// Says which bytes its chunk holds.
package struct ReadReply: Hashable, Sendable {
  /// Byte of the tensor at which the chunk starts.
  package var offset: Int
  /// Bytes of the whole tensor.
  package var total: Int

  package init(offset: Int, total: Int) {
    self.offset = offset
    self.total = total
  }
}

/// What a message of upload or read says about its bytes. They follow in the same message.
package struct Chunk: Hashable, Sendable {
  /// Byte of the tensor at which they start.
  package var offset: Int
  /// 1 ... `Limits.payloadBytesMaximum`.
  package var count: Int
  /// CRC32C of the bytes.
  package var checksum: UInt32

  package init(offset: Int, count: Int, checksum: UInt32) {
    self.offset = offset
    self.count = count
    self.checksum = checksum
  }
}

/// Precedes a message of softmax state on the wire: which one it is, without decoding it.
package struct StateHeader: Hashable, Sendable {
  package var job: JobID
  package var planTag: UInt64
  package var vrank: VRank
  package var epoch: Epoch
  package var tile: TileID
  package var part: Int

  package init(
    job: JobID, planTag: UInt64, vrank: VRank, epoch: Epoch, tile: TileID, part: Int
  ) {
    self.job = job
    self.planTag = planTag
    self.vrank = vrank
    self.epoch = epoch
    self.tile = tile
    self.part = part
  }
}

extension SoftmaxState {
  package var header: StateHeader {
    StateHeader(
      job: job, planTag: planTag, vrank: vrank, epoch: epoch, tile: tile, part: part)
  }
}
