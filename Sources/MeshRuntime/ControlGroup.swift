internal import Foundation

/// The control groups of this process, whose limits are those of its container or system service. The
/// kernel's own figures, of memory and processors, are the whole machine's.
package struct ControlGroup {
  /// Where control groups are mounted, and what the kernel says of this process's.
  private let root: String
  private let membership: String

  /// This process's.
  package init() {
    self.init(
      root: "/sys/fs/cgroup",
      membership: (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? "")
  }

  /// - Parameter membership: lines as in /proc/self/cgroup, whose paths are below `root`.
  package init(root: String, membership: String) {
    self.root = root
    self.membership = membership
  }

  /// Bytes that may still be taken; nil without a limit. Pages of files that nobody uses count as free:
  /// the kernel drops them first.
  package var availableBytes: Int? {
    least(of: "memory") { directory in
      guard
        let limit = number(in: "\(directory)/memory.max")
          ?? number(in: "\(directory)/memory.limit_in_bytes"),
        // The first version's way to say that there is none.
        limit < 1 << 60,
        let used = number(in: "\(directory)/memory.current")
          ?? number(in: "\(directory)/memory.usage_in_bytes")
      else { return nil }
      return max(0, limit - max(0, used - idleFileBytes(directory)))
    }
  }

  /// Processors whose whole time this process may have, rounded up; nil without a limit.
  package var processors: Int? {
    least(of: "cpu") { directory in
      let quota: Int?
      let period: Int?
      if let line = text("\(directory)/cpu.max") {
        let words = line.split(separator: " ")
        quota = words.first.flatMap { Int($0) }
        period = words.last.flatMap { Int($0) }
      } else {
        quota = number(in: "\(directory)/cpu.cfs_quota_us")
        period = number(in: "\(directory)/cpu.cfs_period_us")
      }
      guard let quota, let period, quota > 0, period > 0 else { return nil }
      return quota / period + (quota % period == 0 ? 0 : 1)
    }
  }

  /// The tightest limit, for a group is held to those above it too.
  private func least(of controller: String, _ limit: (String) -> Int?) -> Int? {
    directories(of: controller).compactMap(limit).min()
  }

  /// The group of a controller and all above it. A container sees its own group as the topmost, whatever
  /// its path is called outside; what isn't there is not read.
  private func directories(of controller: String) -> [String] {
    var found: [String] = []
    for line in membership.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isUnified = parts[0] == "0" && parts[1].isEmpty
      guard isUnified || parts[1].split(separator: ",").contains(Substring(controller)) else {
        continue
      }
      var path = parts[2].split(separator: "/")
      let mount = isUnified ? root : "\(root)/\(parts[1])"
      found.append(mount)
      while !path.isEmpty {
        found.append("\(mount)/\(path.joined(separator: "/"))")
        path.removeLast()
      }
    }
    return found
  }

  private func idleFileBytes(_ directory: String) -> Int {
    let name = "inactive_file "
    for line in (text("\(directory)/memory.stat") ?? "").split(separator: "\n")
    where line.hasPrefix(name) {
      return Int(line.dropFirst(name.count)) ?? 0
    }
    return 0
  }

  private func number(in path: String) -> Int? { text(path).flatMap { Int($0) } }

  private func text(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
