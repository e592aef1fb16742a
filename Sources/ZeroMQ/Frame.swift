internal import CZeroMQ

/// One frame of a message: an owned `zmq_msg_t`.
///
/// Up to 33 bytes lie inside the `zmq_msg_t` itself, so a pointer to the content is valid only
/// where `withBytes` hands it out, never across a move of the frame. A frame may move to another
/// thread; two threads never use one at a time.
package struct Frame: ~Copyable, Sendable {
  /// What libzmq reads and writes; moving it bit by bit is what `zmq_msg_move` does.
  var message: zmq_msg_t

  /// An empty frame.
  package init() {
    message = zmq_msg_t()
    // zmq_msg_init: always 0.
    zmq_msg_init(&message)
  }

  /// A frame with a copy of the bytes.
  package init(_ bytes: UnsafeRawBufferPointer) {
    self.init(count: bytes.count) { $0.copyMemory(from: bytes) }
  }

  /// A frame with a copy of the bytes.
  package init(_ bytes: [UInt8]) {
    self.init(count: bytes.count) { target in bytes.withUnsafeBytes { target.copyMemory(from: $0) }
    }
  }

  /// A frame that is written in place, so packing needs no second copy.
  ///
  /// - Parameters:
  ///   - count: the length in bytes.
  ///   - fill: writes all `count` bytes; what it leaves out is sent as found in memory.
  package init<Failure: Error>(
    count: Int, fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    message = zmq_msg_t()
    // zmq_msg_init_size: 0, or -1 with ENOMEM.
    precondition(zmq_msg_init_size(&message, count) == 0, "no memory for \(count) bytes")
    do throws(Failure) {
      try fill(UnsafeMutableRawBufferPointer(start: zmq_msg_data(&message), count: count))
    } catch {
      // zmq_msg_close: 0, or -1 with EFAULT for what is not a message.
      zmq_msg_close(&message)
      zmq_msg_init(&message)
      throw error
    }
  }

  /// A frame over memory that someone else owns: nothing is copied.
  ///
  /// - Parameters:
  ///   - owner: kept alive until the last copy of the frame is gone, and then released on one of
  ///     libzmq's threads: its `deinit` may free memory and nothing else.
  ///   - bytes: memory of the owner; it must not change from now on.
  package init<Owner: AnyObject & Sendable>(
    retaining owner: Owner, bytes: UnsafeRawBufferPointer
  ) {
    message = zmq_msg_t()
    let hint = Unmanaged<AnyObject>.passRetained(owner).toOpaque()
    let release: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void = {
      if let hint = $1 { Unmanaged<AnyObject>.fromOpaque(hint).release() }
    }
    // zmq_msg_init_data: 0, or -1 with ENOMEM. libzmq never writes through the pointer.
    let status = zmq_msg_init_data(
      &message, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, release, hint)
    precondition(status == 0, "no memory for a frame")
  }

  deinit {
    var last = message
    // zmq_msg_close: 0, or -1 with EFAULT for what is not a message.
    zmq_msg_close(&last)
  }
}

extension Frame {
  /// Length in bytes.
  package var count: Int {
    var alias = message
    return zmq_msg_size(&alias)
  }

  /// Whether further frames of the same message follow.
  var hasMore: Bool {
    var alias = message
    // zmq_msg_more: 0 or 1.
    return zmq_msg_more(&alias) == 1
  }

  /// What the `Authenticator` called the peer that sent the frame.
  var user: String? {
    var alias = message
    // zmq_msg_gets: a string that lives as long as the message, or NULL with EINVAL.
    return zmq_msg_gets(&alias, "User-Id").map { String(cString: $0) }
  }

  /// Another frame with the same content; above 33 bytes the two share it by reference count.
  ///
  /// Mutating because the count, once there are two, is noted in both.
  package mutating func copy() -> Frame {
    var twin = Frame()
    // zmq_msg_copy: 0, or -1 with EFAULT for what is not a message.
    zmq_msg_copy(&twin.message, &message)
    return twin
  }

  /// Lends the content to code that needs a pointer; it is valid inside the closure only.
  package func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Reading through an alias of the 64 bytes is right: short content lies in the alias, long
    // content behind the same pointer.
    var alias = message
    return try withUnsafeMutablePointer(to: &alias) { (pointer) throws(Failure) -> Result in
      try body(UnsafeRawBufferPointer(start: zmq_msg_data(pointer), count: zmq_msg_size(pointer)))
    }
  }

  /// Lends the content as a bounds-checked span.
  package func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeBytes { (buffer) throws(Failure) -> Result in try body(buffer.bytes) }
  }

  /// The content as an array.
  package func copiedBytes() -> [UInt8] {
    withUnsafeBytes { [UInt8]($0) }
  }
}
