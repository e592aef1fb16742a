internal import Glibc
package import MeshCore
internal import Synchronization
package import ZeroMQ

/// Who may use a coordinator: its key, and the list of keys it admits, read again when the file
/// changes. Handshakes ask it on their threads, the loops for every message: whoever is taken off the
/// list has lost access at that moment, also on connections that stand.
package final class AllowGate: Sendable {
  package let keys: CurveKeyPair
  package let path: String
  private let state: Mutex<State>

  private struct State {
    var list: AllowList
    /// The last one that was read, whether it is in force or not.
    var version: FileVersion
    /// A version that was seen once: it may be in the middle of being written.
    var candidate: FileVersion?
    /// Why that version isn't in force.
    var problem: String?
    var isMissing = false
    /// When it was last told that the list from before stays in force; nil if it wasn't.
    var toldAt: Duration?
    var day: String
    /// A key of the self-test, for as long as it takes.
    var probe: String?
    /// Keys that were refused since the last report, and how many refusals there were.
    var refusedKeys: [String] = []
    var refusals = 0
    /// Those that didn't come so far as to show a key.
    var keyless = 0
  }

  /// What tells one version of a file from another.
  package struct FileVersion: Equatable, Sendable {
    var inode: UInt = 0
    var bytes = 0
    var seconds = 0
    var nanoseconds = 0
  }

  /// What became of the file since it was last looked at.
  package enum Change: Sendable {
    case none
    case reread(count: Int)
    /// The list from before stays in force.
    case unreadable(String)
  }

  package init(keys: CurveKeyPair, allow path: String) throws(MeshError) {
    self.keys = keys
    self.path = path
    let (list, version) = try Self.read(path)
    state = Mutex(State(list: list, version: version, day: WallClock.day))
  }

  /// Who proved to have a key; nil for whom nothing is allowed.
  package func entry(_ user: String?) -> AllowList.Entry? {
    guard let user, let key = PublicKey(user) else { return nil }
    return state.withLock { $0.list.entry(for: key, on: $0.day) }
  }

  /// Whether a handshake succeeds.
  package func admits(_ user: String) -> Bool {
    if entry(user) != nil { return true }
    return state.withLock { state in
      if state.probe == user { return true }
      state.refusals += 1
      if state.refusedKeys.count < 8, !state.refusedKeys.contains(user) {
        state.refusedKeys.append(user)
      }
      return false
    }
  }

  /// Looks at the file and at the calendar.
  package func refresh() -> Change {
    guard let version = newVersion() else { return reminder() }
    return take(version)
  }

  /// A new version of the file, when it is found twice: half of a file that is being written is not to be
  /// taken for the whole.
  package func newVersion() -> FileVersion? {
    let day = WallClock.day
    let version = Self.version(path)
    let isNew = state.withLock { state in
      state.day = day
      defer { state.candidate = version }
      state.isMissing = version == nil
      return version != state.version && version == state.candidate
    }
    return isNew ? version : nil
  }

  /// Puts a version in force, unless somebody has begun to write another: then it is for the next look.
  package func take(_ version: FileVersion) -> Change {
    do throws(MeshError) {
      let (list, read) = try Self.read(path)
      guard read == version, Self.version(path) == version else { return reminder() }
      state.withLock { state in
        (state.list, state.version, state.problem, state.toldAt) = (list, version, nil, nil)
      }
      return .reread(count: list.count)
    } catch {
      guard Self.version(path) == version else { return reminder() }
      state.withLock { state in
        (state.version, state.problem, state.toldAt) = (version, error.message, nil)
      }
      return reminder()
    }
  }

  /// What is wrong with the file is told again and again: a key that was to be taken back may still be
  /// good.
  private func reminder() -> Change {
    state.withLock { state in
      let missing = state.isMissing ? "--allow \(path): it isn't there" : nil
      guard let problem = missing ?? state.problem else {
        state.toldAt = nil
        return .none
      }
      let now = MonotonicClock.now
      if let toldAt = state.toldAt, now - toldAt < .seconds(60) { return .none }
      state.toldAt = now
      return .unreadable(problem)
    }
  }

  /// Counts a connection that had no key, or took this process for another.
  func noteKeyless() { state.withLock { $0.keyless += 1 } }

  /// Refusals since the last report, for people; nil when there were none.
  package func takeRefusals() -> String? {
    state.withLock { state in
      var parts: [String] = []
      if state.refusals > 0 {
        parts.append(
          "\(counted(state.refusals, "connection")),"
            + " \(state.refusedKeys.count == 1 ? "key" : "keys") \(state.refusedKeys.joined(separator: " "))"
        )
      }
      if state.keyless > 0 {
        parts.append(
          "\(counted(state.keyless, "connection")) without keys, or with another --coordinator-key than this"
            + " coordinator's")
      }
      (state.refusals, state.refusedKeys, state.keyless) = (0, [], 0)
      return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
  }

  func setProbe(_ key: String?) { state.withLock { $0.probe = key } }

  private static func read(
    _ path: String
  ) throws(MeshError) -> (list: AllowList, version: FileVersion) {
    let (text, status) = try readSmallFile(path, flag: "--allow")
    guard status.st_mode & 0o022 == 0 else {
      throw MeshError(.badInput, "--allow \(path): others can write it; say chmod 644")
    }
    guard !isKeyPair(text) else {
      throw MeshError(
        .badInput,
        "--allow \(path): it is a key pair, not a list; put the lines of .pub files into one")
    }
    let list: AllowList
    do throws(AllowList.Problem) {
      list = try AllowList(parsing: text)
    } catch {
      throw MeshError(.badInput, "--allow \(path), \(error.description)")
    }
    guard list.count > 0 else {
      throw MeshError(.badInput, "--allow \(path): it admits nobody; add a key's line")
    }
    return (list, version(status))
  }

  private static func version(_ path: String) -> FileVersion? {
    var status = stat()
    return stat(path, &status) == 0 ? version(status) : nil
  }

  private static func version(_ status: stat) -> FileVersion {
    FileVersion(
      inode: UInt(status.st_ino), bytes: Int(status.st_size), seconds: status.st_mtim.tv_sec,
      nanoseconds: status.st_mtim.tv_nsec)
  }
}
