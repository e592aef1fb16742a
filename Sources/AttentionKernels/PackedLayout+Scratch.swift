extension PackedLayout {
  /// Floats of the scratch buffer of a fold. One buffer per thread.
  ///
  /// Declared here, not in `KernelBody`, since callers allocate by it: an incremental build doesn't
  /// compile them again for a change in a module that they only see re-exported, and the size that
  /// they had inlined would be too small for the new kernels.
  package static var scratchFloats: Int { FoldArguments.scratchFloats }
}
