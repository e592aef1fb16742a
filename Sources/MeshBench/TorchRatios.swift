internal import AttentionKernels
internal import ElementTypes
internal import Glibc
internal import MeshCore
internal import MeshRuntime

/// Times as fast as torch: whole passes, packing and normalising included, in turn on the same cores, by
/// the wall clock.
package struct TorchRatios: Encodable, Sendable {
  /// One head on one thread, two heads on two.
  package let float32: Spread
  package let float32TwoThreads: Spread
  /// Of bfloat16 tensors, with the CPU's dot product where the level has one.
  package let bfloat16: Spread
  /// Torch's is autograd's backward pass, ours all steps with D, both float32.
  package let backward: Spread
  package let backwardTwoThreads: Spread

  init(
    _ torch: TorchPeer, kernel: AttentionKernel, headDimension: Int, tokens: Int, mask: MaskRule,
    repetitions: Int
  ) throws(MeshError) {
    func order(_ pass: TorchPeer.Order.Pass, _ element: ElementType, _ heads: Int)
      -> TorchPeer.Order
    {
      TorchPeer.Order(
        pass: pass, tokens: tokens, headDimension: headDimension, isCausal: mask.isCausal,
        element: element, heads: heads)
    }
    func forward(_ element: ElementType, _ count: Int) throws(MeshError) -> Spread {
      let heads = (0..<count).map { _ in
        HeadBench(
          kernel: kernel, headDimension: headDimension, tokens: tokens, mask: mask,
          element: element,
          operands: element == .bfloat16 && kernel.level == .avx512bf16 ? .bfloat16 : .float32)
      }
      return try Self.ratio(torch, order(.forward, element, count), repetitions) {
        heads[$0].attend()
      }
    }
    func backward(_ count: Int) throws(MeshError) -> Spread {
      let heads = (0..<count).map { _ in
        BackwardHead(kernel: kernel, headDimension: headDimension, tokens: tokens, mask: mask)
      }
      return try Self.ratio(torch, order(.backward, .float32, count), repetitions) {
        heads[$0].differentiate()
      }
    }
    float32 = try forward(.float32, 1)
    float32TwoThreads = try forward(.float32, 2)
    bfloat16 = try forward(.bfloat16, 1)
    self.backward = try backward(1)
    backwardTwoThreads = try backward(2)
  }

  /// Seconds of torch over seconds of `work` for each head at once, neighbours in time; one pair before
  /// they count.
  private static func ratio(
    _ torch: TorchPeer, _ order: TorchPeer.Order, _ repetitions: Int, _ work: (Int) -> Void
  ) throws(MeshError) -> Spread {
    var ratios: [Double] = []
    for repetition in 0...repetitions {
      var ours = 0.0
      if repetition % 2 == 0 { ours = wallSeconds(order.heads, work) }
      let theirs = try torch.seconds(order)
      if repetition % 2 == 1 {
        // Torch's idle threads spin for a while, on cores that ours need.
        usleep(50_000)
        ours = wallSeconds(order.heads, work)
      }
      if repetition > 0 { ratios.append(theirs / ours) }
    }
    return Spread(ratios)
  }
}
