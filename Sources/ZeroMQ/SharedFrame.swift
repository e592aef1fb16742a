/// A frame of more than 33 bytes that any thread may read, for as long as somebody has it: its content
/// stays where it is.
package final class SharedFrame: Sendable {
  private let frame: Frame
  /// Valid while this lives.
  nonisolated(unsafe) package let bytes: UnsafeRawBufferPointer

  package init(_ frame: consuming Frame) {
    precondition(frame.count > 33, "a frame of \(frame.count) bytes lies in its handle")
    bytes = frame.withUnsafeBytes { $0 }
    self.frame = frame
  }
}
