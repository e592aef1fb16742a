package import ElementTypes
package import MeshCore
internal import TensorFiles

/// The output files of a job: O in the type asked for, and log-sum-exp if wanted. They appear whole
/// or not at all.
package struct ResultFiles: ~Copyable {
  private var output: TensorWriter
  private var logSumExp: TensorWriter?

  /// - Parameters:
  ///   - output: path of O, with `shape`.
  ///   - logSumExp: path of the log-sum-exp, with `shape` less its last dimension; or nil.
  ///   - axes: of the files; `shape` and what is written have the heads first.
  package init(
    output: String, element: ElementType, logSumExp: String?, shape: [Int],
    axes: AxisOrder = .headsFirst
  ) throws(MeshError) {
    let outputWriter = try Self.writer(output, element, shape, axes.swappedAxis(of: .output))
    var logSumExpWriter: TensorWriter?
    if let logSumExp {
      logSumExpWriter = try Self.writer(
        logSumExp, .float32, Array(shape.dropLast()), axes.swappedAxis(of: .logSumExp))
    }
    self.output = outputWriter
    self.logSumExp = logSumExpWriter
  }

  static func writer(
    _ text: String, _ element: ElementType, _ shape: [Int], _ swappedAxis: Int?
  ) throws(MeshError) -> TensorWriter {
    do throws(TensorFileError) {
      return try TensorWriter(
        TensorLocation.parse(text), element: element, shape: shape, swappedAxis: swappedAxis)
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// Finds out before long work whether the files could be written.
  ///
  /// - Parameters:
  ///   - inputs: files that must not be overwritten.
  ///   - refuse: told each reason why not; what it throws ends the search.
  package static func check(
    output: String, element: ElementType, logSumExp: String?, report: String?,
    inputs: [InputPath], refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) {
    var targets: [OutputTarget] = []
    func check(_ target: @autoclosure () throws(MeshError) -> OutputTarget) throws(MeshError) {
      do throws(MeshError) {
        targets.append(try target())
      } catch {
        try refuse(error.message)
      }
    }
    try check(try tensorTarget("--output", output, element))
    if let logSumExp { try check(try tensorTarget("--lse", logSumExp, .float32)) }
    if let report, report != JobReport.standardOutput {
      let target = OutputTarget(flag: "--report", path: report)
      try check(try target.writable())
    }
    do throws(MeshError) {
      try OutputTarget.check(targets, apartFrom: inputs)
    } catch {
      try refuse(error.message)
    }
  }

  static func tensorTarget(
    _ flag: String, _ text: String, _ element: ElementType
  ) throws(MeshError) -> OutputTarget {
    do throws(TensorFileError) {
      try TensorWriter.checkWritable(text, element: element)
      return OutputTarget(flag: flag, path: try TensorLocation.parse(text).path)
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// Bytes of memory that they take: where their directories are kept in memory alone.
  ///
  /// - Parameter isMemory: whether a directory is; by default as the system says.
  package static func memoryBytes(
    output: String, element: ElementType, logSumExp: String?, job: AttentionJob,
    isMemory: (String) -> Bool = FileSystem.isMemory
  ) throws(MeshError) -> Int {
    func bytes(
      _ text: String, _ tensor: OutputTensor, _ count: Int
    ) throws(TensorFileError) -> Int {
      let axis = job.axes.swappedAxis(of: tensor)
      return try TensorWriter.directories(of: text, swappedAxis: axis).count(where: isMemory)
        * count
    }
    do throws(TensorFileError) {
      let output = try bytes(output, .output, job.outputBytes / 4 * element.byteCount)
      guard let logSumExp else { return output }
      return output + (try bytes(logSumExp, .logSumExp, job.logSumExpBytes))
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// Takes float32 bytes of an output tensor; `offset` is in bytes of float32.
  package func write(
    _ tensor: OutputTensor, at offset: Int, _ bytes: UnsafeRawBufferPointer
  ) throws(MeshError) {
    do throws(TensorFileError) {
      switch tensor {
      case .output: try output.write(at: offset, floats: bytes)
      case .logSumExp: try logSumExp?.write(at: offset, bytes: bytes)
      case .queryGradient, .keyGradient, .valueGradient:
        preconditionFailure("\(tensor) is none of attention")
      }
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// Makes the files appear.
  package consuming func commit() throws(MeshError) {
    do throws(TensorFileError) {
      let logSumExp = logSumExp.take()
      try output.commit()
      try logSumExp?.commit()
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }
}
