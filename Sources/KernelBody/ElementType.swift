@_exported public import ElementTypes
