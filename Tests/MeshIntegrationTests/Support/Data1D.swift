import ElementTypes

/// Tensors of one axis.
enum Data1D {
  static func write(_ values: [Float], to location: String) throws {
    try TensorData(values, element: .float32, shape: [values.count]).write(to: location)
  }
}
