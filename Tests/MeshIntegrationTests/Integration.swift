import Testing

/// Tests with the real executable in real processes. They wait more than they compute, and still one at a
/// time in each of the lanes of Scripts/test.sh: several wait for what a busy machine does late.
@Suite("Real processes", .serialized) enum Integration {}

/// What went wrong before a test could compare anything.
struct HarnessError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
