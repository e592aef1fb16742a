internal import ElementTypes

extension AttentionJob {
  /// "1×9/3 heads, 8192×8192 tokens, d 64, float16, causal".
  package var shapeText: String {
    "\(batch)×\(queryHeads)/\(keyValueHeads) heads, \(queryTokens)×\(keyTokens) tokens,"
      + " d \(headDimension), \(element.name), \(mask.name)"
  }
}
