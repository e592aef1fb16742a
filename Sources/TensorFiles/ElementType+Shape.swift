internal import ElementTypes

extension ElementType {
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
