internal import Glibc

/// What the system says of an error at a path, and what to do where it keeps this process out.
package func systemReason(_ code: Int32, at path: String) -> String {
  let reason = String(cString: strerror(code))
  return permissionAdvice(code, at: path).map { "\(reason); \($0)" } ?? reason
}

/// Who may, where this process may not: by the file itself, or else by the nearest directory on the way
/// to it. Nil for an error that isn't one of permissions.
func permissionAdvice(_ code: Int32, at path: String) -> String? {
  guard [EACCES, EPERM, EROFS].contains(code) else { return nil }
  guard code != EROFS else { return "give a path on a disk that can be written" }
  var place = path.isEmpty ? "." : path
  var status = stat()
  while stat(place, &status) != 0 {
    guard place != "/", place != "." else { return "give another path" }
    let parent = place.split(separator: "/", omittingEmptySubsequences: true).dropLast()
      .joined(separator: "/")
    place = place.hasPrefix("/") ? "/" + parent : parent.isEmpty ? "." : parent
  }
  let owner = getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) }
  let mode = String(status.st_mode & 0o7777, radix: 8)
  return "\(printable(place, limit: 4096)) is \(owner ?? "user \(status.st_uid)")'s, with mode"
    + " \(mode): run as a user who may, or give another path"
}
