package import AttentionKernels
package import MeshCore

extension AttentionJob {
  /// What becomes of the logits of a flattened query head.
  package func logitShape(ofHead head: Int) -> LogitShape {
    LogitShape(
      softcap: logits.softcap ?? 0,
      slope: logits.alibiSlopes.isEmpty ? 0 : logits.alibiSlopes[head % queryHeads])
  }

  /// The learnt logit of a flattened query head; nil without one.
  package func sinkLogit(ofHead head: Int) -> Float? {
    logits.sinkLogits.isEmpty ? nil : logits.sinkLogits[head % queryHeads]
  }
}
