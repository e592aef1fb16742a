@preconcurrency internal import Glibc
internal import MeshRuntime

/// Makes sure that what was printed has arrived.
///
/// A reader that has gone, as in `attnmesh jobs | head`, has seen what it wanted: the process ends, and
/// well.
///
/// - Throws: bad input where standard output can't be written: a full disk, or closed from the start.
func flushOutput() throws(MeshError) {
  errno = 0
  guard fflush(stdout) != 0 || ferror(stdout) != 0 else { return }
  if errno == EPIPE { _exit(0) }
  let reason = errno == 0 ? "an earlier part was lost" : String(cString: strerror(errno))
  throw MeshError(.badInput, "standard output can't be written: \(reason)")
}

/// Opens standard descriptors that are closed at the start: the next file or pipe would take their place,
/// and lose it again to whoever is given a standard input. Each is opened the wrong way round, so that
/// who uses it is told.
func openStandardDescriptors() {
  for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY)]
  where fcntl(descriptor, F_GETFD) == -1 {
    _ = open("/dev/null", mode)
  }
  if fcntl(STDERR_FILENO, F_GETFD) == -1 { _ = open("/dev/null", O_RDWR) }
}

/// For who prints in the middle of following something: what can't be printed ends the process.
func endWithReader() {
  do throws(MeshError) {
    try flushOutput()
  } catch {
    Attnmesh.end(error.message, error.kind)
  }
}
