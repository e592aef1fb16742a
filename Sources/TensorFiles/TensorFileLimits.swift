/// Every bound of what is read of tensor files and pipes, in one place, as `attnmesh limits` lists it.
package enum TensorFileLimits {
  /// Most dimensions of a tensor, as in numpy. It bounds what a hostile header makes us hold.
  package static let rankMaximum = 64
  /// Longest header text of a .npy file. numpy's own are about 120 bytes; version 2.0 exists for
  /// structured types with thousands of fields, which hold no tensor.
  package static let npyHeaderBytesMaximum = 64 << 10
  /// Longest JSON of a .safetensors file: the format's own bound. How many tensors it names is bounded
  /// by it alone.
  package static let safetensorsHeaderBytesMaximum = 100_000_000
  /// Longest name of a tensor that is written.
  package static let tensorNameBytesMaximum = 1_024
  /// Memory for a block of a tensor whose axes are put into another order.
  package static let reorderingBytesMaximum = 64 << 20

  /// Name, value, unit and meaning of each.
  package static var table: [(name: String, value: Int, unit: String, meaning: String)] {
    [
      ("rankMaximum", rankMaximum, "dimensions", "of a tensor in a file"),
      (
        "npyHeaderBytesMaximum", npyHeaderBytesMaximum, "bytes",
        "of a .npy header (attnmesh's; the format has none)"
      ),
      (
        "safetensorsHeaderBytesMaximum", safetensorsHeaderBytesMaximum, "bytes",
        "of a .safetensors header (the format's), with any number of tensors"
      ),
      ("tensorNameBytesMaximum", tensorNameBytesMaximum, "bytes", "of a tensor's name, written"),
      (
        "reorderingBytesMaximum", reorderingBytesMaximum, "bytes",
        "of memory, while a tensor's axes are put in order"
      ),
    ]
  }
}
