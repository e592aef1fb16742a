/// Something whose memory another thread is to free: the one that calls `free`, whoever else still holds
/// this.
///
/// Unchecked: who makes it gives its value up, and only one thread calls `free`, once.
package final class FreedOnce: @unchecked Sendable {
  private var value: Any?

  init(_ value: consuming Any) { self.value = value }

  func free() { value = nil }
}

extension BackgroundQueue {
  /// Has one of the threads free the memory of what nobody else holds any more: to unmap that of a thousand
  /// heads takes a hundred milliseconds.
  package func free(_ value: consuming (any Sendable)?) {
    if value == nil { return }
    // Given up before the other thread sees it: this one must not be the last that holds it.
    free(FreedOnce(consume value as Any))
  }

  package func free(_ parcel: FreedOnce?) {
    guard let parcel else { return }
    run { parcel.free() }
  }
}
