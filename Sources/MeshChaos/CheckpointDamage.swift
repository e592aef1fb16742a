internal import Foundation
package import MeshCore
package import MeshRuntime

/// What happens to the files of a directory of checkpoints behind everybody's back.
package enum CheckpointDamage: String, Hashable, Sendable, CaseIterable {
  /// One bit in every file, anywhere.
  case flipBit
  /// One bit in the header of both slots of every file.
  case flipHeaders
  case truncate
  /// The first half is zeros: a lost extent.
  case zeroHalf
  /// Files change their contents: those of another rank.
  case swap
  case remove

  /// Damages every file.
  ///
  /// - Returns: how many.
  package func apply(to directory: String, random: inout SplitMix64) throws(MeshError) -> Int {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    let paths = names.filter { !$0.hasPrefix(".") }.map { "\(directory)/\($0)" }
    do {
      if self == .swap {
        for (path, other) in zip(paths, paths.dropFirst() + paths.prefix(1)) where path < other {
          try Self.exchange(path, other)
        }
        return paths.count
      }
      for path in paths { try damage(path, random: &random) }
    } catch {
      throw MeshError(.jobFailed, "damage to \(directory): \(error)")
    }
    return paths.count
  }

  private func damage(_ path: String, random: inout SplitMix64) throws {
    if self == .remove { return try FileManager.default.removeItem(atPath: path) }
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    defer { try? file.close() }
    let size = Int(try file.seekToEnd())
    guard size > 1 else { return }
    switch self {
    case .flipBit:
      try Self.flipBit(of: file, at: Int.random(in: 0..<size, using: &random), &random)
    case .flipHeaders:
      for slot in 0..<2 {
        let offset = slot * size / 2 + Int.random(in: 0..<min(100, size / 2), using: &random)
        try Self.flipBit(of: file, at: offset, &random)
      }
    case .truncate: try file.truncate(atOffset: UInt64(Int.random(in: 0..<size, using: &random)))
    case .zeroHalf:
      try file.seek(toOffset: 0)
      try file.write(contentsOf: Data(count: size / 2))
    case .swap, .remove: break
    }
  }

  private static func flipBit(
    of file: FileHandle, at offset: Int, _ random: inout SplitMix64
  ) throws {
    try file.seek(toOffset: UInt64(offset))
    guard var byte = try file.read(upToCount: 1)?.first else { return }
    byte ^= 1 << UInt8.random(in: 0..<8, using: &random)
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: Data([byte]))
  }

  /// A file may be open and in use: its contents are exchanged, not its name.
  private static func exchange(_ path: String, _ other: String) throws {
    let bytes = try [path, other].map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
    for (target, bytes) in zip([other, path], bytes) {
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: target))
      defer { try? file.close() }
      try file.write(contentsOf: bytes)
      try file.truncate(atOffset: UInt64(bytes.count))
    }
  }
}

/// A file system of a mesh that can be full.
package enum ChaosDisk: Hashable, Sendable {
  case store
  case checkpoints

  /// Leaves no room on the disk.
  static func fill(_ directory: String) {
    let file = open("\(directory)/.filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    // Down to the last page.
    for size in [1 << 20, 1 << 12] {
      let bytes = [UInt8](repeating: 7, count: size)
      while lseek(file, 0, SEEK_END) >= 0, write(file, bytes, size) == size {}
    }
  }

  static func free(_ directory: String) { unlink("\(directory)/.filler") }
}
