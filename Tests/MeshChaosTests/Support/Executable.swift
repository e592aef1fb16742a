import Foundation

/// The executable beside the test bundle, or the one that ATTNMESH_BINARY names.
func executable() throws -> String {
  if let named = ProcessInfo.processInfo.environment["ATTNMESH_BINARY"] { return named }
  let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  let path = (bundle as NSString).deletingLastPathComponent + "/attnmesh"
  guard FileManager.default.isExecutableFile(atPath: path) else {
    throw HarnessError("no executable at \(path): build it, or set ATTNMESH_BINARY")
  }
  return path
}

/// A directory of a test's own, gone when the test is over.
final class Scratch {
  let path: String

  init() throws {
    let parent = FileManager.default.temporaryDirectory.path
    var template = Array("\(parent)/amc-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw HarnessError("mkdtemp: \(errno)") }
    path = template.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
}

/// Living processes whose arguments or environment hold this text.
func processes(mentioning text: String) -> [Int32] {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
  return names.compactMap { Int32($0) }.filter { process in
    guard process != getpid() else { return false }
    return ["cmdline", "environ"].contains { file in
      let bytes = FileManager.default.contents(atPath: "/proc/\(process)/\(file)") ?? Data()
      return String(decoding: bytes, as: UTF8.self).contains(text)
    }
  }
}
