internal import Checksums
package import ElementTypes
internal import FoldEngine
internal import MeshCore
internal import TensorFiles

/// The files of a backward pass: dQ, dK and dV, and the gradient of learnt logits if it is wanted. They
/// appear whole or not at all.
package struct GradientFiles: ~Copyable {
  /// Where they go.
  package struct Paths: Sendable {
    package var query: String
    package var key: String
    package var value: String
    /// Of the sink logits, [query heads], float32.
    package var sinkLogits: String?

    package init(query: String, key: String, value: String, sinkLogits: String?) {
      self.query = query
      self.key = key
      self.value = value
      self.sinkLogits = sinkLogits
    }

    /// With the flags that name them.
    var targets: [(flag: String, text: String)] {
      [
        ("--query-gradient", query), ("--key-gradient", key), ("--value-gradient", value),
        ("--sink-gradient", sinkLogits),
      ].compactMap { flag, text in text.map { (flag, $0) } }
    }
  }

  private let query: TensorWriter
  private let key: TensorWriter
  private let value: TensorWriter
  private var sinkLogits: TensorWriter?
  private let job: AttentionJob

  /// - Parameter element: of dQ, dK and dV.
  package init(_ paths: Paths, element: ElementType, inputs: JobInputs) throws(MeshError) {
    let job = inputs.spec
    let axis = job.axes.swappedAxis(of: .output)
    var keyShape = inputs.shape
    keyShape[keyShape.count - 3] = job.keyValueHeads
    keyShape[keyShape.count - 2] = job.keyTokens
    let queryWriter = try ResultFiles.writer(paths.query, element, inputs.shape, axis)
    let keyWriter = try ResultFiles.writer(paths.key, element, keyShape, axis)
    let valueWriter = try ResultFiles.writer(paths.value, element, keyShape, axis)
    var sinkWriter: TensorWriter?
    if let text = paths.sinkLogits {
      sinkWriter = try ResultFiles.writer(text, .float32, [job.queryHeads], nil)
    }
    self.job = job
    query = queryWriter
    key = keyWriter
    value = valueWriter
    sinkLogits = sinkWriter
  }

  /// Finds out before long work whether the files could be written.
  ///
  /// - Parameter inputs: files that must not be overwritten.
  package static func check(
    _ paths: Paths, element: ElementType, report: String?, inputs: [InputPath]
  ) throws(MeshError) {
    var targets: [OutputTarget] = []
    for (flag, text) in paths.targets {
      let type = flag == "--sink-gradient" ? ElementType.float32 : element
      targets.append(try ResultFiles.tensorTarget(flag, text, type))
    }
    if let report, report != JobReport.standardOutput {
      targets.append(try OutputTarget(flag: "--report", path: report).writable())
    }
    try OutputTarget.check(targets, apartFrom: inputs)
  }

  /// Bytes of memory that they take: where their directories are kept in memory alone.
  package static func memoryBytes(
    _ paths: Paths, element: ElementType, inputs: JobInputs
  ) throws(MeshError) -> Int {
    let job = inputs.spec
    var sum = 0
    for (text, elements) in [
      (paths.query, job.flatQueryHeads * job.queryTokens),
      (paths.key, job.flatKeyValueHeads * job.keyTokens),
      (paths.value, job.flatKeyValueHeads * job.keyTokens),
    ] {
      do throws(TensorFileError) {
        let axis = job.axes.swappedAxis(of: .output)
        sum +=
          try TensorWriter.directories(of: text, swappedAxis: axis).count(
            where: FileSystem.isMemory)
          * elements * job.headDimension * element.byteCount
      } catch {
        throw MeshError(.badInput, error.description)
      }
    }
    return sum
  }

  /// Takes rows [tokens][d], float32, of one flattened head.
  func write(
    _ gradient: GradientRun.Gradient, head: Int, tokens: Range<Int>, _ rows: UnsafeRawBufferPointer
  ) throws(MeshError) {
    let length = gradient == .query ? job.queryTokens : job.keyTokens
    let offset = (head * length + tokens.lowerBound) * job.headDimension * 4
    do throws(TensorFileError) {
      switch gradient {
      case .query: try query.write(at: offset, floats: rows)
      case .key: try key.write(at: offset, floats: rows)
      case .value: try value.write(at: offset, floats: rows)
      }
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// Takes the gradients of the learnt logits, one of each query head.
  func write(sinkGradients: [Float]) throws(MeshError) {
    do throws(TensorFileError) {
      let payload = sinkGradients.withUnsafeBytes { PartPayload(copying: $0) }
      try sinkLogits?.write(at: 0, bytes: payload.bytes)
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// Makes the files appear.
  package consuming func commit() throws(MeshError) {
    do throws(TensorFileError) {
      let sinkLogits = sinkLogits.take()
      try query.commit()
      try key.commit()
      try value.commit()
      try sinkLogits?.commit()
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }
}
