extension JobStatus {
  /// How its shares are cut; nil before it has any.
  package var grid: Grid? {
    vrankCount > 0 ? Grid(of: summary.spec, vranks: vrankCount) : nil
  }
}
