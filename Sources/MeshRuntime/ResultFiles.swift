package import ElementTypes
package import MeshCore
internal import TensorFiles

/// The output files of a job: O in the type asked for, and log-sum-exp if wanted. They appear whole
/// or not at all.
package struct ResultFiles: ~Copyable {
  private var output: TensorWriter
  private var logSumExp: TensorWriter?
  private let element: ElementType

  /// - Parameters:
  ///   - output: path of O, with `shape`.
  ///   - logSumExp: path of the log-sum-exp, with `shape` less its last dimension; or nil.
  package init(
    output: String, element: ElementType, logSumExp: String?, shape: [Int]
  ) throws(MeshError) {
    self.element = element
    do throws(TensorFileError) {
      self.output = try TensorWriter(
        TensorLocation.parse(output), element: element, shape: shape)
      if let logSumExp {
        self.logSumExp = try TensorWriter(
          TensorLocation.parse(logSumExp), element: .float32, shape: Array(shape.dropLast()))
      }
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// Finds out before long work whether the files could be written.
  package static func check(
    output: String, element: ElementType, logSumExp: String?
  ) throws(MeshError) {
    do throws(TensorFileError) {
      try TensorWriter.checkWritable(output, element: element)
      if let logSumExp { try TensorWriter.checkWritable(logSumExp) }
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
      case .output where element == .float32: try output.write(at: offset, bytes: bytes)
      case .output: try writeRounded(at: offset, bytes)
      case .logSumExp: try logSumExp?.write(at: offset, bytes: bytes)
      }
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  private func writeRounded(
    at offset: Int, _ bytes: UnsafeRawBufferPointer
  ) throws(TensorFileError) {
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: bytes.count / 4)
    let rounded = UnsafeMutableRawBufferPointer.allocate(
      byteCount: floats.count * element.byteCount, alignment: 64)
    defer {
      floats.deallocate()
      rounded.deallocate()
    }
    UnsafeMutableRawBufferPointer(floats).copyMemory(from: bytes)
    element.encode(UnsafeBufferPointer(floats), into: rounded)
    try output.write(at: offset / 4 * element.byteCount, bytes: UnsafeRawBufferPointer(rounded))
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
