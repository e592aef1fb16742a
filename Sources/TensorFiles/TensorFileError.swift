internal import Glibc

/// Why a tensor file could not be read or written, as one line for the person who named it.
package struct TensorFileError: Error, Sendable, CustomStringConvertible {
  /// What sort of failure it is, for callers that decide by it.
  package enum Kind: Sendable, Equatable {
    /// The location is spelled in a way that names no tensor, or names one that is not there.
    case location
    /// The file breaks the rules of its own format, or is cut short.
    case malformed
    /// A sound tensor that this program does not take: another dtype, order, or no elements.
    case unsupported
    /// The file isn't any more what it was when it was opened: what was read is of no one version.
    case changed
    /// A read or write outside the tensor's bytes: the caller's mistake.
    case outOfRange
    /// The operating system refused: `code` is the errno, such as ENOSPC, EIO or EACCES.
    case system(code: Int32)
  }

  /// What sort of failure it is.
  package let kind: Kind
  /// The file (or location) as the user spelled it.
  package let path: String
  /// What is wrong, without the path.
  package let problem: String
  /// What to do next, where there is something sensible to say.
  package let advice: String?

  init(_ kind: Kind, _ path: String, _ problem: String, advice: String? = nil) {
    self.kind = kind
    self.path = path
    self.problem = problem
    self.advice = advice
  }

  /// A failed system call: the errno it left behind, and what was being done. The errno comes first
  /// so that it is read before anything else is evaluated, which might change it.
  ///
  /// - Parameter place: what may keep this process out, where that isn't the file itself.
  static func system(
    _ code: Int32, _ path: String, _ action: String, place: String? = nil, advice: String? = nil
  ) -> TensorFileError {
    let reason = String(cString: strerror(code))
    return TensorFileError(
      .system(code: code), path, "cannot \(action): \(reason)",
      advice: advice ?? permissionAdvice(code, at: place ?? path))
  }

  /// A pipe, or what is in its place, that ended before its first byte.
  static func nothingCame(through path: String) -> TensorFileError {
    TensorFileError(
      .malformed, path, "nothing came through it",
      advice: "look at the command that should write into it")
  }

  /// One line: the file, what is wrong, and what to do.
  package var description: String {
    let line = "\(printable(path, limit: 4096)): \(problem)"
    return advice.map { "\(line); \($0)" } ?? line
  }
}

/// Text from a file or a user, fit for one line: control and format characters are escaped, so that
/// a name can neither break the line nor reorder it, and long text is cut.
func printable(_ text: String, limit: Int = 80) -> String {
  var result = ""
  var count = 0
  for scalar in text.unicodeScalars {
    if count == limit { return result + "…" }
    count += 1
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned:
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
