/// What has become of a job's result.
package struct ResultStatus: Hashable, Sendable, Codable {
  package var state: State
  /// Seconds since 1970: when it expires while it is kept, when it went otherwise; nil where that isn't
  /// known.
  package var at: Double?
  /// Who let it go; empty for nobody.
  package var client: String

  package init(_ state: State, at: Double? = nil, client: String = "") {
    self.state = state
    self.at = at
    self.client = client
  }

  package enum State: UInt8, Sendable, CaseIterable, Codable {
    /// The job has none, or none yet.
    case none = 1
    /// In the store, to be fetched.
    case kept = 2
    /// Somebody said that it isn't needed any more.
    case discarded = 3
    /// It was kept for as long as the coordinator keeps results.
    case expired = 4
    /// It should be in the store and isn't, as after a restore without the job's files.
    case missing = 5

    package var name: String {
      switch self {
      case .none: "none"
      case .kept: "kept"
      case .discarded: "discarded"
      case .expired: "expired"
      case .missing: "missing"
      }
    }
  }

  /// For a person; empty when there is nothing to tell.
  package var line: String {
    let by = client.isEmpty ? "" : " by \(client)"
    let when = at.map { " at \(utc($0))" } ?? ""
    return switch state {
    case .none: ""
    case .kept: at.map { "kept until \(utc($0))" } ?? "kept"
    case .discarded: "discarded" + by + when
    case .expired: "expired" + when
    case .missing: "not in the store"
    }
  }
}
