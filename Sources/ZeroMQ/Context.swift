internal import CZeroMQ
internal import Glibc

/// libzmq's context: its I/O threads and the limits its sockets share.
///
/// Every `Socket` keeps its context alive, so the last release terminates a context without
/// sockets. That waits for libzmq's own threads: it must not happen on one of them, so nothing
/// given to `Frame.init(retaining:bytes:)` may own a context.
package final class Context: Sendable {
  /// libzmq promises that a context may be used from any thread.
  nonisolated(unsafe) let handle: UnsafeMutableRawPointer

  /// Creates a context.
  ///
  /// - Parameters:
  ///   - ioThreads: threads that move bytes; one carries about 1 GB/s.
  ///   - maxSockets: open sockets at a time; a monitored socket counts as three.
  /// - Throws: `EMFILE`; `EINVAL` for a limit beyond what libzmq supports.
  package init(ioThreads: Int = 1, maxSockets: Int = 1023) throws(ZeroMQError) {
    // zmq_ctx_new: the context, or NULL with EMFILE.
    guard let handle = zmq_ctx_new() else { throw .last("zmq_ctx_new") }
    self.handle = handle
    // zmq_ctx_set: 0, or -1 with EINVAL.
    try check("zmq_ctx_set") { zmq_ctx_set(handle, ZMQ_IO_THREADS, Int32(clamping: ioThreads)) }
    try check("zmq_ctx_set") { zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, Int32(clamping: maxSockets)) }
  }

  deinit {
    // zmq_ctx_term: 0, or -1 with EINTR (call again) or EFAULT (not a context).
    while zmq_ctx_term(handle) == -1 && zmq_errno() == EINTR {}
  }
}
