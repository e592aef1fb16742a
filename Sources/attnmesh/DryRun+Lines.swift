internal import MeshCore
internal import MeshRuntime
internal import MeshView

/// How it is told.
extension DryRun {
  /// Prints all of it.
  ///
  /// - Throws: bad input, where something would be refused.
  func finish(json: Bool) throws {
    if json {
      printJSON(self)
    } else {
      for (name, text) in lines { print("\(cell(name, 8)) \(text)") }
    }
    guard let last = refusals.last else {
      if !json { print("nothing stands in its way") }
      return
    }
    for refusal in refusals.dropLast() { Attnmesh.complain(refusal) }
    throw MeshError(.badInput, last)
  }

  private var lines: [(String, String)] {
    var lines = tensors.map {
      ($0.name, "\($0.location): \($0.shape) \($0.element), \(bytes($0.bytes))")
    }
    if let mask, let scale, let flops {
      lines.append(("job", "\(mask), scale \(scale), \(decimals(flops / 1e9, 3)) GFLOP"))
    }
    if let place {
      var text = place
      if let workers {
        let here = workersHere ?? workers
        text +=
          here == workers
          ? ", \(counted(workers, "worker"))" : ", \(workers) of \(counted(here, "worker"))"
      }
      if let threads { text += ", \(counted(threads, "thread"))" }
      let told = leftOut.prefix(6).joined(separator: ", ")
      let more = leftOut.count > 6 ? ", and \(leftOut.count - 6) more" : ""
      lines.append(("where", text + (leftOut.isEmpty ? "" : "; \(told)\(more)")))
    }
    if let portions { lines.append(("ranks", "1, in \(counted(portions, "portion"))")) }
    if let vranks, let strategy, let grid, let strategyReason {
      lines.append(("ranks", "\(counted(vranks, "virtual rank")), \(strategy) \(grid)"))
      lines.append(("strategy", strategyReason))
    }
    if !memory.isEmpty {
      let needs = memory.map {
        "\(bytes($0.bytes)) for "
          + ($0.count == 1 ? $0.process : "each of \(counted($0.count, $0.process))")
      }
      let room = availableBytes.map { "; there are \(bytes($0))" } ?? ""
      let limit = availableBy.map { " (\($0))" } ?? ""
      lines.append(("memory", "up to " + needs.joined(separator: ", ") + room + limit))
    }
    if let storeBytes { lines.append(("store", "\(bytes(storeBytes)) at the coordinator")) }
    if let predictedSeconds, let gflopsPerSecond {
      lines.append(
        (
          "time",
          "about \(age(predictedSeconds)) at \(decimals(gflopsPerSecond, 1)) GFLOP/s, as fast as"
            + " threads fold here, measured for \(KernelRate.seconds) s; reading and sending come on"
            + " top"
        ))
    }
    return lines
  }
}
