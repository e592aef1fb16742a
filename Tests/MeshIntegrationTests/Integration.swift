import Testing

/// Tests with the real executable in real processes. One at a time: they compete for the cores, and
/// several wait for what a busy machine does late.
@Suite("Real processes", .serialized) enum Integration {}

/// What went wrong before a test could compare anything.
struct HarnessError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
