/// What decides between checkpoints of one virtual rank, wherever they are kept: on a disk, and in a
/// simulated one.
package enum CheckpointRules {
  /// Whether the holder of an epoch may still write, given the epochs of all checkpoints there are.
  /// One of a higher epoch means that another worker has taken over.
  package static func admits(_ epoch: Epoch, existing: [Epoch]) -> Bool {
    existing.allSatisfy { $0 <= epoch }
  }

  /// Whether to restore from the left one first. Epoch before generation: generations of different
  /// epochs were counted by different workers.
  package static func isBetter(
    _ left: (epoch: Epoch, generation: UInt64), than right: (epoch: Epoch, generation: UInt64)
  ) -> Bool {
    left.epoch == right.epoch ? left.generation > right.generation : left.epoch > right.epoch
  }
}
