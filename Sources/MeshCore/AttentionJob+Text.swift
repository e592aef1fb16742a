internal import ElementTypes

extension AttentionJob {
  /// "1×9/3 heads, 8192×8192 tokens, d 64, float16"; `maskText` says the rest.
  fileprivate var shapeText: String {
    "\(batch)×\(queryHeads)/\(keyValueHeads) heads, \(queryTokens)×\(keyTokens) tokens,"
      + " d \(headDimension), \(element.name)"
  }
}

extension JobSummary {
  /// "1×9/3 heads, 8192×8192 tokens, d 64, float16, causal, 3 documents". Not all of the mask is in `spec`.
  package var shapeText: String { "\(spec.shapeText), \(mask)" }
}
