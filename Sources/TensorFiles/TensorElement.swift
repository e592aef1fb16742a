/// The number formats that tensors are stored in; every one is little-endian.
package enum TensorElement: Sendable, CaseIterable {
  /// IEEE 754 binary32: numpy `<f4`, safetensors `F32`.
  case float32
  /// IEEE 754 binary16: numpy `<f2`, safetensors `F16`.
  case float16
  /// The upper half of a binary32: safetensors `BF16`; numpy has no such type.
  case bfloat16

  /// Bytes of one element: 4 or 2.
  package var byteCount: Int {
    switch self {
    case .float32: 4
    case .float16, .bfloat16: 2
    }
  }

  /// The name used on the command line, in reports and in messages.
  package var name: String {
    switch self {
    case .float32: "float32"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    }
  }

  /// numpy's `descr` for this element; nil where numpy has none.
  var numpyDescription: String? {
    switch self {
    case .float32: "<f4"
    case .float16: "<f2"
    case .bfloat16: nil
    }
  }

  /// Bytes of a dense tensor of this element; nil where the shape has a negative dimension or the
  /// product is larger than an Int.
  func byteCount(ofShape shape: [Int]) -> Int? {
    checkedProduct(shape, times: byteCount)
  }
}

/// The product of the dimensions and a factor; nil where it is negative or larger than an Int.
///
/// A zero anywhere makes the product zero, but the remaining dimensions must still multiply without
/// overflow: whether a shape is accepted must not depend on the order of its dimensions.
func checkedProduct(_ shape: [Int], times factor: Int) -> Int? {
  var product = factor
  var isEmpty = false
  for dimension in shape {
    if dimension < 0 { return nil }
    if dimension == 0 {
      isEmpty = true
      continue
    }
    let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
    if overflow { return nil }
    product = next
  }
  return isEmpty ? 0 : product
}
