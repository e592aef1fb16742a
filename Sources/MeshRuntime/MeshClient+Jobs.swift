package import MeshCore

/// Which jobs there are.
extension MeshClient {
  /// All pages of a list, or the first jobs of it.
  ///
  /// - Parameter limit: nil for all.
  package func jobs(
    in states: [JobState] = [], limit: Int? = nil, isCancelled: () -> Bool = { false }
  ) throws(MeshError) -> JobPage {
    var request = ListRequest(states: states)
    var found = JobPage(jobs: [], next: 0, total: 0)
    repeat {
      let left = limit.map { $0 - found.jobs.count } ?? Limits.jobsPerPageMaximum
      request.limit = min(left, Limits.jobsPerPageMaximum)
      let page = try list(request, isCancelled: isCancelled)
      found.jobs += page.jobs
      (found.next, found.total) = (page.next, page.total)
      request.before = page.next
    } while found.next > 0 && found.jobs.count < limit ?? .max
    return found
  }

  /// Finds a job by its id or the beginning of it, among all jobs that there are.
  package func job(_ text: String) throws(MeshError) -> JobID {
    if let id = JobID(text) { return id }
    guard (4...32).contains(text.utf8.count), text.utf8.allSatisfy({ $0 < 128 }),
      text.allSatisfy(\.isHexDigit)
    else {
      throw MeshError(
        .badInput,
        "\(text) is no job id, and no beginning of one of at least 4 digits; `attnmesh jobs` lists"
          + " them")
    }
    return try list(ListRequest(limit: Limits.candidatesToldMaximum, prefix: text)).only(text)
  }

  private func list(
    _ request: ListRequest, isCancelled: () -> Bool = { false }
  ) throws(MeshError) -> JobPage {
    guard case .jobs(let page) = try call(.list(request), isCancelled: isCancelled).orThrow() else {
      throw MeshError(.unreachable, "the coordinator gave an answer to something else")
    }
    return page
  }
}

extension JobPage {
  /// The one job whose id begins so.
  ///
  /// - Throws: there is none, or there are several, with what tells them from each other.
  package func only(_ text: String) throws(MeshError) -> JobID {
    guard let first = jobs.first else {
      throw MeshError(.badInput, "no job begins with \(text); `attnmesh jobs` lists them")
    }
    guard total > 1 else { return first.job }
    let candidates = jobs.map { job in
      let name = job.name.isEmpty ? "" : " \(printable(job.name))"
      return "\n  \(job.job)\(name), \(job.state.name), submitted \(utc(job.submittedAt))"
    }
    let rest = total - jobs.count
    throw MeshError(
      .badInput,
      "\(total) jobs begin with \(text); give more digits:\(candidates.joined())"
        + (rest > 0 ? "\n  and \(rest) more" : ""))
  }
}
