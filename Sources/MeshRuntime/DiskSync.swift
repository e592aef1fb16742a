internal import Glibc
internal import MeshCore
internal import Synchronization
internal import ZeroMQ

/// Waits for a disk.
enum DiskSync {
  /// Syncs several files at the same time: a disk whose cache is flushed for one is flushed for all that
  /// wait, and small files would otherwise take as many flushes as there are of them.
  ///
  /// - Parameters:
  ///   - files: of which the contents are needed, and their lengths.
  ///   - directories: of which the names are needed.
  static func sync(files: [Int32], directories: [Int32] = []) throws(CallFailure) {
    let work = files.map { ($0, false) } + directories.map { ($0, true) }
    guard let last = work.last else { return }
    let failure = Mutex<Int32>(0)
    func sync(_ file: Int32, _ isDirectory: Bool) {
      let status = isDirectory ? fsync(file) : fdatasync(file)
      let code = errno
      if status != 0 { failure.withLock { $0 = code } }
    }
    withoutActuallyEscaping(sync) { sync in
      // The threads have ended before this returns.
      nonisolated(unsafe) let sync = sync
      let threads = work.dropLast().compactMap { file, isDirectory in
        let thread = try? DedicatedThread(name: "sync") { sync(file, isDirectory) }
        if thread == nil { sync(file, isDirectory) }
        return thread
      }
      sync(last.0, last.1)
      for thread in threads { thread.join() }
    }
    let code = failure.withLock { $0 }
    guard code == 0 else { throw storeFailure("sync", code) }
  }
}
