/// Every bound of the mesh in one place. What would pass one is refused with the number, or dropped
/// and counted; nothing grows without a limit.
package enum Limits {
  // Shapes.
  package static let tokensMaximum = 16 << 20
  package static let headDimensionMaximum = 256
  /// Heads × batch of one tensor.
  package static let headsMaximum = 65_536
  package static let vranksMaximum = 256
  package static let workersMaximum = 256

  // Frames, in bytes.
  package static let controlFrameBytesMaximum = 256 << 10
  /// Payload of one tile or state message.
  package static let payloadBytesMaximum = 1 << 20
  /// A data frame: the payload and its header fields.
  package static let dataFrameBytesMaximum = payloadBytesMaximum + (64 << 10)
  package static let textBytesMaximum = 1_024
  package static let nameBytesMaximum = 63

  // Queues.
  package static let jobsMaximum = 1_000
  package static let queuedJobsPerClientMaximum = 64
  package static let parkedCallsMaximum = 64
  package static let eventsKeptMaximum = 4_096
  package static let eventsPerReplyMaximum = 256
  package static let repliesKeptMaximum = 1_024
  package static let mailboxEventsMaximum = 65_536

  // Windows.
  /// K/V tiles above a virtual rank's `next` that its worker fetches ahead.
  package static let windowTiles = 4
  /// Tiles of one fold given to the compute threads at once.
  package static let tilesPerFold = 2
  /// Folds given to the compute threads and not yet reported.
  package static let foldsOutstanding = 2
  /// Bytes asked of the input store and not yet received.
  package static let storeCreditBytes = 8 << 20
  /// Tiles asked of the input store and not yet received. The answers to all of them have to fit the
  /// store's socket, which drops what is beyond its water mark: small tiles are many in few bytes.
  package static let storePullsOutstanding = 32
  /// Result messages sent and not yet acknowledged.
  package static let resultMessagesOutstanding = 4

  // Time.
  package static let heartbeatInterval: Duration = .milliseconds(100)
  /// A worker silent for so long is lost.
  package static let heartbeatTimeout: Duration = .milliseconds(1_000)
  /// A coordinator whose own loop was late by so much doubts itself before it doubts a worker.
  package static let loopLagMaximum: Duration = .milliseconds(200)
  /// A pull that brought nothing for so long goes to the next source.
  package static let pullTimeout: Duration = .seconds(5)
  /// Pulls of one tile, over all its sources, before the job is given up.
  package static let pullAttemptsMaximum = 8
  package static let resultTimeout: Duration = .seconds(5)
  /// An upload that brought nothing for so long is given up and its bytes are freed.
  package static let uploadTimeout: Duration = .seconds(60)
  package static let callTimeMaximum: Duration = .seconds(3_600)
}
