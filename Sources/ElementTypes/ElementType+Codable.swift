/// Elements are named by number on the wire and on disk. Apart from the type, which bare-metal builds of
/// the kernels use too: Embedded Swift has no Codable.
extension ElementType: Codable {}
