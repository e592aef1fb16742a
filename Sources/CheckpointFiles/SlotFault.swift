internal import Glibc
package import MeshCore

/// Why a slot is not restored from.
package enum SlotFault: Error, Sendable, Equatable, CustomStringConvertible {
  /// Only zeros: the slot was reserved and not written yet.
  case unwritten
  /// The file ends before the slot does.
  case truncated
  /// A directory, pipe, link or device has the file's name.
  case notAFile
  /// The operating system refused, with this errno.
  case unreadable(code: Int32)
  /// It doesn't begin as a checkpoint does.
  case magic
  /// Another version of the format.
  case format(UInt16)
  /// Written by a CPU with another byte order.
  case byteOrder
  /// The header is damaged.
  case headerChecksum
  /// The table of parts is damaged.
  case tableDigest
  /// The unused bytes at the end aren't zero.
  case padding
  /// Another job's.
  case job(JobID)
  /// Of another plan.
  case plan
  /// Made by arithmetic that gives other bits.
  case numerics(String)
  /// Another virtual rank's.
  case vrank(UInt32)
  /// Of another epoch than the file's name says.
  case epoch(Epoch)
  /// Cut into other parts.
  case parts(count: UInt32, bytes: UInt64)

  package var description: String {
    switch self {
    case .unwritten: "not written yet"
    case .truncated: "cut short"
    case .notAFile: "not a regular file"
    case .unreadable(let code): "not readable: \(String(cString: strerror(code)))"
    case .magic: "not a checkpoint"
    case .format(let version): "of format \(version)"
    case .byteOrder: "of a CPU with another byte order"
    case .headerChecksum: "its header is damaged"
    case .tableDigest: "its table of parts is damaged"
    case .padding: "its unused bytes are not zero"
    case .job(let job): "of job \(job)"
    case .plan: "of another plan"
    case .numerics(let text): "made with numerics \(text)"
    case .vrank(let index): "of virtual rank \(index)"
    case .epoch(let epoch): "of epoch \(epoch)"
    case .parts(let count, let bytes): "has \(count) parts of \(bytes) bytes in all"
    }
  }
}

/// A slot that is not restored from, for the event log.
package struct RejectedSlot: Sendable, CustomStringConvertible {
  /// The file's name in the directory.
  package let file: String
  /// Nil where the whole file is rejected.
  package let slot: CheckpointSlot?
  package let fault: SlotFault

  package var description: String {
    "\(file)\(slot.map { " slot \($0)" } ?? ""): \(fault)"
  }
}
