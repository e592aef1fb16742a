/// What a worker wants done, in order: what it says itself, and what the machines of a job say.
struct Effects: Sendable {
  private(set) var list: [Worker.Effect] = []
  /// Whether something happened that the coordinator should hear of before the next heartbeat.
  private(set) var isUrgent = false
  /// The job whose machines speak.
  var job: JobID?

  mutating func tellSoon() { isUrgent = true }

  mutating func append(_ effect: Worker.Effect) { list.append(effect) }

  mutating func append(_ effect: JobEffect) {
    guard let job else { preconditionFailure("an effect of no job") }
    list.append(.job(job, effect))
  }

  mutating func append(_ effect: TileEffect) { append(JobEffect.tile(effect)) }
  mutating func append(_ effect: StepEffect) { append(JobEffect.step(effect)) }
  mutating func append(_ effect: CopyEffect) { append(JobEffect.copy(effect)) }
  mutating func append(_ effect: HeldEffect) { append(JobEffect.held(effect)) }
  mutating func append(_ effect: RestoreEffect) { append(JobEffect.restore(effect)) }
  mutating func append(_ effect: ResultEffect) { append(JobEffect.result(effect)) }
  mutating func append(_ effect: PassEffect) { append(JobEffect.pass(effect)) }

  /// Tells of something that happened to the job.
  mutating func observe(_ kind: Observation.Kind, vrank: VRank? = nil, _ detail: String) {
    list.append(.observe(Observation(kind, job: job, vrank: vrank, detail: detail)))
  }

  /// Tells the coordinator that a step of a rank can't be done.
  mutating func fail(_ vrank: VRank, step: Int, _ reason: String) {
    guard let job else { preconditionFailure("a failure of no job") }
    list.append(.send(.failed(job, vrank, step: step, reason: reason)))
  }

  /// Tells the coordinator of a checkpoint that can't be written or read.
  mutating func alarm(_ vrank: VRank, _ reason: String, told detail: String? = nil) {
    guard let job else { preconditionFailure("an alarm of no job") }
    list.append(.send(.alarm(job, vrank, reason: reason)))
    observe(.checkpointAlarm, vrank: vrank, detail ?? reason)
  }

  /// A disk that blocks and gives no error, as a file server that went away.
  mutating func alarm(_ vrank: VRank, _ what: String, _ plan: Plan) {
    let seconds = tenths(plan.slotPatience(of: vrank))
    alarm(vrank, "\(what) \(seconds) s: the disk isn't waited for")
  }
}
