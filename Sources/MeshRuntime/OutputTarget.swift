internal import TensorFiles

/// A path that the user gave for something to be written.
struct OutputTarget {
  let flag: String
  let path: String

  /// The same, unless it can't be replaced by a finished file.
  func writable() throws(MeshError) -> OutputTarget {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw MeshError(.badInput, "\(flag): an empty path names no file")
    }
    do throws(TensorFileError) {
      _ = try OutputFile(path: path)
      return self
    } catch {
      throw MeshError(.badInput, "\(flag) \(error.description)")
    }
  }

  /// Refuses outputs that would replace each other or what is read, however the paths are spelled.
  static func check(_ targets: [OutputTarget], apartFrom inputs: [InputPath]) throws(MeshError) {
    for (index, target) in targets.enumerated() {
      for other in targets[..<index] where try target.isSame(as: other) {
        throw MeshError(
          .badInput, "\(other.flag) and \(target.flag) are the same file, \(target.path): give two")
      }
      let node = FileIdentity.Node(path: target.path)
      for input in inputs where node != nil && node == FileIdentity.Node(input: input.path) {
        throw MeshError(
          .badInput,
          "\(target.flag) \(target.path) is the file of \(input.flag), \(input.path), which would be"
            + " overwritten: give another")
      }
    }
  }

  /// Whether both are one file, or will be: one name in one directory.
  private func isSame(as other: OutputTarget) throws(MeshError) -> Bool {
    if let node = FileIdentity.Node(path: path), node == FileIdentity.Node(path: other.path) {
      return true
    }
    let (mine, its) = (try place(), try other.place())
    return mine.name == its.name && mine.directory != nil && mine.directory == its.directory
  }

  /// The directory and the name that it will have, where a link leads.
  private func place() throws(MeshError) -> (directory: FileIdentity.Node?, name: Substring) {
    let destination: String
    do throws(TensorFileError) {
      destination = try OutputFile.destination(of: path)
    } catch {
      throw MeshError(.badInput, "\(flag) \(error.description)")
    }
    guard let slash = destination.utf8.lastIndex(of: UInt8(ascii: "/")) else {
      return (FileIdentity.Node(path: "."), destination[...])
    }
    return (
      FileIdentity.Node(path: String(destination[...slash])),
      destination[destination.utf8.index(after: slash)...]
    )
  }
}

/// A file that a command reads, and the flag that names it.
package struct InputPath: Sendable {
  package let flag: String
  package let path: String

  package init(_ flag: String, _ path: String) {
    self.flag = flag
    self.path = path
  }

  /// A tensor's file; nil where the text names none: who opens it will say so.
  package init?(_ flag: String, tensor text: String) {
    guard let location = try? TensorLocation.parse(text) else { return nil }
    self.init(flag, location.path)
  }
}
