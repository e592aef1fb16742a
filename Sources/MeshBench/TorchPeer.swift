package import ElementTypes
internal import Foundation
package import MeshRuntime

/// PyTorch's `scaled_dot_product_attention` and its gradients in a process of its own, which computes when
/// it is told to: measured in turn with a kernel, both see the same stretch of clock rate and neighbours.
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

  /// What torch is to compute, on one thread for each head.
  package struct Order {
    package let pass: Pass
    package let tokens: Int
    package let headDimension: Int
    package let isCausal: Bool
    package let element: ElementType
    package let heads: Int

    package enum Pass: String { case forward, backward }
  }

  /// Seconds on the wall clock for `order`, of as many queries as keys.
  package func seconds(_ order: Order) throws(MeshError) -> Double {
    let text =
      "\(order.pass.rawValue) \(order.tokens) \(order.headDimension) \(order.isCausal ? 1 : 0) "
      + "\(order.element) \(order.heads)\n"
    do {
      try orders.fileHandleForWriting.write(contentsOf: Data(text.utf8))
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
    // Whatever else a Python prints is not for us.
    while fgets(&buffer, Int32(buffer.count), file) != nil {
      let line = buffer.withUnsafeBufferPointer { text in
        text.baseAddress.map { String(cString: $0) } ?? ""
      }
      if line.hasPrefix(marker) {
        return line.dropFirst(marker.count).trimmingCharacters(in: .whitespacesAndNewlines)
      }
    }
    return nil
  }

  /// Before every answer.
  private static let marker = "attnmesh:"

  private static let script = """
    import sys, time, torch
    from torch.nn.functional import scaled_dot_product_attention as attend
    torch.manual_seed(1)
    print("attnmesh:", torch.__version__, flush=True)
    last, tensors, gradient = None, None, None
    for line in sys.stdin:
        kind, tokens, dimension, causal, element, heads = line.split()
        if last != (tokens, dimension, element, heads):
            last = (tokens, dimension, element, heads)
            torch.set_num_threads(int(heads))
            shape = (1, int(heads), int(tokens), int(dimension))
            tensors = [torch.randn(shape).to(getattr(torch, element)) for _ in range(3)]
            gradient = torch.randn(shape).to(tensors[0].dtype)
            with torch.no_grad():
                attend(*tensors)
        if kind == "forward":
            with torch.no_grad():
                start = time.perf_counter()
                attend(*tensors, is_causal=causal == "1")
                seconds = time.perf_counter() - start
        else:
            inputs = [tensor.detach().requires_grad_() for tensor in tensors]
            output = attend(*inputs, is_causal=causal == "1")
            start = time.perf_counter()
            torch.autograd.grad(output, inputs, gradient)
            seconds = time.perf_counter() - start
        print("attnmesh:", seconds, flush=True)
    """
}
