internal import Glibc
internal import MeshCore

/// What a directory has of a virtual rank.
package struct StoredCheckpoints: Sendable {
  /// The best one first. Where a part of it turns out to be corrupt, the next one is to be tried.
  package internal(set) var slots: [StoredSlot] = []
  /// Also slots that were never written.
  package internal(set) var rejected: [RejectedSlot] = []
}

extension CheckpointDirectory {
  /// Files opened for one virtual rank at most, and slots offered of them: each keeps a descriptor
  /// open.
  private static let filesMaximum = 64
  private static let slotsMaximum = 8

  /// The states of a virtual rank that can be restored, of any epoch.
  package func candidates(
    _ identity: CheckpointIdentity
  ) throws(CheckpointError) -> StoredCheckpoints {
    let layout = SlotLayout(partBytes: identity.partBytes)
    let names = try names(beginningWith: CheckpointName.prefix(identity.job, identity.vrank))
      .filter { !$0.isPartial }
      .sorted { ($0.epoch, $0.attempt) > ($1.epoch, $1.attempt) }
    var found = StoredCheckpoints()
    for name in names.prefix(Self.filesMaximum) where found.slots.count < Self.slotsMaximum {
      do throws(SlotFault) {
        let file = try open(name, identity, layout)
        for slot in CheckpointSlot.allCases {
          do throws(SlotFault) {
            found.slots.append(try StoredSlot(slot, in: file))
          } catch {
            found.rejected.append(RejectedSlot(file: "\(name)", slot: slot, fault: error))
          }
        }
      } catch {
        found.rejected.append(RejectedSlot(file: "\(name)", slot: nil, fault: error))
      }
    }
    found.slots.sort { $0.isBetter(than: $1) }
    return found
  }

  private func open(
    _ name: CheckpointName, _ identity: CheckpointIdentity, _ layout: SlotLayout
  ) throws(SlotFault) -> OpenCheckpoint {
    guard let descriptor = open(name, O_RDONLY) else {
      throw errno == ELOOP ? .notAFile : .unreadable(code: errno)
    }
    var status = stat()
    guard fstat(descriptor.number, &status) == 0 else { throw .unreadable(code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
    return OpenCheckpoint(
      name: name, identity: identity, layout: layout, byteCount: Int(status.st_size),
      descriptor: descriptor)
  }
}
