/// Asks for one page of the jobs, the newest first.
package struct ListRequest: Hashable, Sendable {
  /// Only jobs before the one of this number in the order of submit: `next` of the page before; 0 for
  /// the first page.
  package var before: Int
  /// Jobs on the page, at most `Limits.jobsPerPageMaximum`.
  package var limit: Int
  /// Only jobs in one of these states; empty for all.
  package var states: [JobState]
  /// Only jobs whose id begins with these hexadecimal digits.
  package var prefix: String

  package init(
    before: Int = 0, limit: Int = Limits.jobsPerPageMaximum, states: [JobState] = [],
    prefix: String = ""
  ) {
    self.before = before
    self.limit = limit
    self.states = states
    self.prefix = prefix
  }
}

/// Jobs, the newest first. A page stays right when jobs are submitted or removed meanwhile: the next
/// one goes on from a job's number.
package struct JobPage: Hashable, Sendable {
  package var jobs: [JobSummary]
  /// Where the next page begins; 0 when this is the last one.
  package var next: Int
  /// Jobs that were asked for, on this and all other pages.
  package var total: Int

  package init(jobs: [JobSummary], next: Int, total: Int) {
    self.jobs = jobs
    self.next = next
    self.total = total
  }
}

extension Coordinator {
  func list(_ request: ListRequest, for header: CallHeader, at now: Duration) -> JobPage {
    let prefix = request.prefix.lowercased()
    let found = jobs.reversed().filter { record in
      (header.role != .client || record.client == header.client)
        && (request.states.isEmpty || request.states.contains(onDisk(record).state))
        && (prefix.isEmpty || "\(record.id)".hasPrefix(prefix))
    }
    let rest = request.before > 0 ? found.filter { $0.number < request.before } : found
    let limit = min(max(1, request.limit), Limits.jobsPerPageMaximum)
    let page = rest.prefix(limit)
    return JobPage(
      jobs: page.map { summary(of: $0, at: now, isAsked: true) },
      next: rest.count > limit ? page.last?.number ?? 0 : 0, total: found.count)
  }

  /// Forgets a job that has ended, and all that the store has of it.
  mutating func remove(
    _ job: JobID, by client: String, ticket: Ticket, at now: Duration, into effects: inout [Effect]
  ) {
    guard let index = index(of: job) else {
      return reply(.failure(unknown(job)), to: ticket, into: &effects)
    }
    guard jobs[index].state.isTerminal else {
      let failure = CallFailure(
        .failedPrecondition, "job \(job) is \(jobs[index].state.name); cancel it first")
      return reply(.failure(failure), to: ticket, into: &effects)
    }
    // Its end would never be told.
    guard jobs[index].isEndOnDisk else {
      let failure = CallFailure(
        .unavailable, "the end of job \(job) is still being written to the store; try again")
      return reply(.failure(failure), to: ticket, into: &effects)
    }
    let last = status(of: jobs[index], at: now)
    jobs.remove(at: index)
    commits.remove(job)
    observe(Observation(.jobRemoved, job: job, detail: "by \(client)"), at: now, into: &effects)
    effects.append(.store(.drop(job, keepResult: false)))
    reply(.success(.status(last)), to: ticket, into: &effects)
  }
}
