/// A frame that is kept to be sent many times, as in a cache of one loop's thread.
///
/// A class because collections cannot hold a `Frame`; not `Sendable`, as copying notes the new
/// reference in the stored frame.
package final class StoredFrame {
  private var frame: Frame

  package init(_ frame: consuming Frame) {
    self.frame = frame
  }

  /// Length in bytes.
  package var count: Int { frame.count }

  /// A frame to send; above 33 bytes it shares the stored content.
  package func copy() -> Frame { frame.copy() }

  /// Lends the content; it is valid inside the closure only.
  package func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try frame.withBytes(body)
  }

  /// Lends the content to code that needs a pointer; it is valid inside the closure only.
  package func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try frame.withUnsafeBytes(body)
  }
}
