internal import Glibc

/// The time of day, which nothing that must be right depends on: clocks of machines differ, and are set.
enum WallClock {
  /// Seconds by which this process's clock is wrong, for tests: `ATTNMESH_CLOCK_OFFSET=-3600`.
  private static let offset =
    getenv("ATTNMESH_CLOCK_OFFSET").flatMap { Int(String(cString: $0)) } ?? 0

  static var now: timespec {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    now.tv_sec += min(max(offset, -1_000_000_000), 1_000_000_000)
    return now
  }

  /// Seconds since 1970.
  static var seconds: Double { Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 }

  /// Today in UTC, "YYYY-MM-DD".
  static var day: String {
    var seconds = now.tv_sec
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func digits(_ value: Int32, _ count: Int) -> String {
      let text = "\(value)"
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return
      "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
  }

  /// Milliseconds since 1970, in which terms are counted.
  static var milliseconds: Int64 { Int64(now.tv_sec * 1_000 + now.tv_nsec / 1_000_000) }
}
