internal import Foundation
package import MeshRuntime

/// PyTorch's `scaled_dot_product_attention` in a process of its own, which computes when it is told to:
/// measured in turn with a kernel, both see the same stretch of clock rate and neighbours.
package final class TorchPeer {
  package let version: String
  private let process = Process()
  private let orders = Pipe()
  private let answers: UnsafeMutablePointer<FILE>

  /// Starts a Python that has a CPU build of torch.
  ///
  /// - Throws: `.badInput` when it can't be started or has no torch.
  package init(python: String) throws(MeshError) {
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = ["-c", Self.script]
    process.standardInput = orders
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard let answers = fdopen(dup(output.fileHandleForReading.fileDescriptor), "r") else {
      throw MeshError(.badInput, "\(python): \(String(cString: strerror(errno)))")
    }
    self.answers = answers
    do {
      try process.run()
    } catch {
      fclose(answers)
      throw MeshError(.badInput, "\(python) can't be started: give --torch a Python's path")
    }
    // With the last writer gone the end of its output is seen.
    try? output.fileHandleForWriting.close()
    guard let version = Self.line(answers) else {
      fclose(answers)
      process.waitUntilExit()
      throw MeshError(
        .badInput, "\(python) has no torch: install a CPU build, such as torch==2.13.0+cpu")
    }
    self.version = version
  }

  deinit {
    try? orders.fileHandleForWriting.close()
    process.waitUntilExit()
    fclose(answers)
  }

  /// Processor time of one head's attention in float32, as many queries as keys, on one thread.
  package func seconds(tokens: Int, headDimension: Int, isCausal: Bool) throws(MeshError) -> Double
  {
    let order = "\(tokens) \(headDimension) \(isCausal ? 1 : 0)\n"
    do {
      try orders.fileHandleForWriting.write(contentsOf: Data(order.utf8))
    } catch {
      throw MeshError(.jobFailed, "torch ended: \(error.localizedDescription)")
    }
    guard let seconds = Self.line(answers).flatMap(Double.init) else {
      throw MeshError(.jobFailed, "torch ended without an answer")
    }
    return seconds
  }

  private static func line(_ file: UnsafeMutablePointer<FILE>) -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
    return buffer.withUnsafeBufferPointer { text in
      text.baseAddress.map { String(cString: $0) }
    }?.trimmingCharacters(in: .newlines)
  }

  private static let script = """
    import sys, time, torch
    from torch.nn.functional import scaled_dot_product_attention as attend
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print(torch.__version__, flush=True)
    last, tensors = None, None
    with torch.no_grad():
        for line in sys.stdin:
            tokens, dimension, causal = map(int, line.split())
            if last != (tokens, dimension):
                last = (tokens, dimension)
                tensors = [torch.randn(1, 1, tokens, dimension) for _ in range(3)]
                attend(*tensors)
            start = time.thread_time()
            attend(*tensors, is_causal=bool(causal))
            print(time.thread_time() - start, flush=True)
    """
}
