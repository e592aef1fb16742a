internal import MeshCore

extension AxisOrder {
  /// Which axis of an output tensor's file is swapped with the next one, counted from the last; the
  /// inputs are as the output. nil where they are as everything is computed.
  func swappedAxis(of tensor: OutputTensor) -> Int? {
    guard self == .tokensFirst else { return nil }
    return tensor == .logSumExp ? 2 : 3
  }
}

extension AttentionJob {
  /// The same tensors with heads and tokens taken for each other.
  private var otherWay: AttentionJob {
    var other = self
    (other.queryHeads, other.queryTokens) = (queryTokens, queryHeads)
    (other.keyValueHeads, other.keyTokens) = (keyTokens, keyValueHeads)
    other.headCuts = 1
    other.strategy = .auto
    other.grid = nil
    return other
  }

  private var advice: String {
    axes == .headsFirst
      ? "if the tensors are [tokens, heads, dim], add --axes \(AxisOrder.tokensFirst.name)"
      : "if the tensors are [heads, tokens, dim], leave --axes out"
  }

  /// For a job that can't be computed: what to do where it could be with its axes the other way round.
  var axesAdvice: String? {
    problem != nil && otherWay.problem == nil && queryHeads != queryTokens ? advice : nil
  }

  /// For a job that can be computed: what to do where it has far more heads than tokens, as no model has.
  var axesDoubt: String? {
    guard keyValueHeads >= 64, keyValueHeads >= 4 * keyTokens, queryHeads >= 4 * queryTokens,
      otherWay.problem == nil
    else { return nil }
    return "these tensors have \(queryHeads) heads of \(counted(queryTokens, "token")): \(advice)"
  }
}
