import Glibc
import TensorFiles
import Testing

/// What is said where the system keeps a process out.
struct PermissionTests {
  private let directory = try? TemporaryDirectory()

  @Test("a refusal names what keeps out, whose it is, and its mode")
  func refusal() throws {
    let directory = try #require(directory)
    let file = try directory.write([1], as: "x.npy")
    try #require(chmod(file, 0o400) == 0)
    let owner = try #require(getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) })
    #expect(
      systemReason(EACCES, at: file)
        == "Permission denied; \(file) is \(owner)'s, with mode 400: run as a user who may, or give"
        + " another path")
    // Of what isn't there, the directory that would have it.
    let parent = file.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    #expect(systemReason(EACCES, at: parent + "/a/b").contains("; \(parent) is \(owner)'s"))
    #expect(systemReason(EACCES, at: "nowhere").contains("; . is "))
    #expect(systemReason(ENOENT, at: file) == "No such file or directory")
  }
}
