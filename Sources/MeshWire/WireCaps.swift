internal import CMeshWire
internal import MeshCore

/// Bounds of the protocol that concern frames only; `Protos/mesh.proto` states each of them.
package enum WireCaps {
  /// A data header frame, and a payload frame without its payload.
  package static let headerBytesMaximum = 4 << 10
  package static let endpointBytesMaximum = 255
  /// Detail of an event, so that the longest reply fits one control frame.
  package static let detailBytesMaximum = 512
  /// Cause of a recovery, so that the longest status of a job fits one control frame.
  package static let causeBytesMaximum = 256
  /// Elements of any repeated field.
  package static let elementsMaximum = 256
  /// Digits of the beginning of a job's id.
  package static let prefixDigitsMaximum = 32
  package static let unknownFieldsMaximum = 64
  /// Messages of a copy that may be asked for at once.
  package static let messagesPerPullMaximum = 256
  /// Messages of which the state of a virtual rank consists.
  static let stateMessagesMaximum = Int(Int32.max)
  static let partsMaximum = Limits.headsMaximum
  /// Indices of tiles: of jobs whose heads are cut there are more than of one group.
  static let queryTilesMaximum = max(
    Limits.tokensMaximum / Plan.queryTileRows, Limits.groupedTilesMaximum)
  static let keyTilesMaximum = max(
    Limits.tokensMaximum / Plan.keyTileKeys, Limits.groupedTilesMaximum)
  /// Steps of a rank.
  static let stepsMaximum = Limits.tokensMaximum / Plan.keyTileKeys
  /// Byte counters and sizes: what fits an `Int` with room for sums.
  static let bytesMaximum = 1 << 60
  static let threadsMaximum = 65_535
  static let processIDMaximum = Int(Int32.max)
  /// Times that others calculate with.
  static let secondsMaximum = 1e9
  /// Seconds since 1970 to the end of the year 9999.
  static let timeOfDayMaximum = 253_402_300_799.0

  /// Bytes that unpacking `count` bytes may hold: a sub-message of two bytes becomes a structure. A
  /// job's status may have three lists of such.
  package static func budget(_ count: Int) -> Int { 8 * count + (128 << 10) }
}

/// Memory of the budgeted allocator, for tests of its bound.
package enum WireMemory {
  /// The most bytes that one unpack of this process ever held.
  package static var peakBytes: Int { attnmesh_wire_peak() }
  /// Bytes held now: 0 when no decoding is under way.
  package static var heldBytes: Int { attnmesh_wire_held() }
}
