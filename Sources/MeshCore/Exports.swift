// A job's mask is part of what it is: who knows jobs knows masks.
@_exported public import AttentionMasks
