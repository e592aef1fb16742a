// What bodies are written in terms of.
@_exported public import AttentionMasks
@_exported public import ElementTypes
