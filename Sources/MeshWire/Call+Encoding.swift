internal import CMeshWire
internal import MeshCore

// Calls of both sockets, and what all replies have.

extension Arena {
  private func call(
    _ header: CallHeader, method: UInt8
  ) -> UnsafeMutablePointer<Mesh__V1__Call> {
    let message = make(mesh__v1__call__init)
    message.pointee.request_high = header.request.high
    message.pointee.request_low = header.request.low
    message.pointee.role = Mesh__V1__Role(UInt32(header.role.rawValue))
    message.pointee.client = name(header.client)
    message.pointee.method = UInt32(method)
    message.pointee.remaining_ms = header.remaining.wireMilliseconds
    return message
  }

  func call(
    _ header: CallHeader, _ request: Result<CallRequest, CallFailure>
  ) -> UnsafeMutablePointer<Mesh__V1__Call> {
    guard case .success(let request) = request else { return call(header, method: header.method) }
    let message = call(header, method: request.method.rawValue)
    switch request {
    case .submit(let request):
      let submit = make(mesh__v1__submit_request__init)
      submit.pointee.spec = spec(request.spec)
      submit.pointee.deadline_seconds = request.deadlineSeconds
      submit.pointee.is_unprotected = request.isProtected ? 0 : 1
      submit.pointee.name = name(request.name)
      submit.pointee.is_dry_run = request.isDryRun ? 1 : 0
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_SUBMIT
      message.pointee.submit = submit
    case .start(let job), .status(let job), .cancel(let job), .result(let job), .discard(let job),
      .remove(let job):
      let reference = make(mesh__v1__job_reference__init)
      reference.pointee.job = self.job(job)
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_JOB
      message.pointee.job = reference
    case .list(let request):
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_LIST
      message.pointee.list = list(request)
    case .events(let request):
      let events = make(mesh__v1__events_request__init)
      events.pointee.after = request.after
      events.pointee.job = request.job.map { self.job($0) }
      events.pointee.term = request.term
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_EVENTS
      message.pointee.events = events
    case .drain(let worker):
      let drain = make(mesh__v1__drain_request__init)
      drain.pointee.worker = name(worker)
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_DRAIN
      message.pointee.drain = drain
    case .cordon(let worker, let isLifted):
      let cordon = make(mesh__v1__cordon_request__init)
      cordon.pointee.worker = name(worker)
      cordon.pointee.is_lifted = isLifted ? 1 : 0
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_CORDON
      message.pointee.cordon = cordon
    case .workers, .mesh:
      break
    }
    return message
  }

  func call(
    _ header: CallHeader, _ request: Result<StoreRequest, CallFailure>
  ) -> UnsafeMutablePointer<Mesh__V1__Call> {
    guard case .success(let request) = request else { return call(header, method: header.method) }
    let message = call(header, method: request.method.rawValue)
    switch request {
    case .upload(let request):
      let upload = make(mesh__v1__upload_request__init)
      upload.pointee.job = job(request.job)
      upload.pointee.tensor = Mesh__V1__InputTensor(UInt32(request.tensor.rawValue))
      upload.pointee.offset = wire64(request.offset)
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_UPLOAD
      message.pointee.upload = upload
    case .read(let request):
      let read = make(mesh__v1__read_request__init)
      read.pointee.job = job(request.job)
      read.pointee.tensor = Mesh__V1__OutputTensor(UInt32(request.tensor.rawValue))
      read.pointee.offset = wire64(request.offset)
      read.pointee.count = wire64(request.count)
      message.pointee.arguments_case = MESH__V1__CALL__ARGUMENTS_READ
      message.pointee.read = read
    }
    return message
  }

  private func list(_ request: ListRequest) -> UnsafeMutablePointer<Mesh__V1__ListRequest> {
    let list = make(mesh__v1__list_request__init)
    list.pointee.before = wire64(request.before)
    list.pointee.limit = wire32(request.limit)
    (list.pointee.n_states, list.pointee.states) = enumerations(
      request.states.map { Mesh__V1__JobState(UInt32($0.rawValue)) })
    list.pointee.prefix = text(request.prefix, maximum: WireCaps.prefixDigitsMaximum)
    return list
  }

  /// A reply without its result.
  func reply(
    _ request: RequestID, failure: CallFailure? = nil
  ) -> UnsafeMutablePointer<Mesh__V1__Reply> {
    let message = make(mesh__v1__reply__init)
    message.pointee.request_high = request.high
    message.pointee.request_low = request.low
    if let failure {
      // A failure with code OK would be read as a result.
      message.pointee.status = (failure.code == .ok ? .unknown : failure.code).wire
      message.pointee.message = text(failure.message, maximum: Limits.textBytesMaximum)
    }
    return message
  }
}

extension Duration {
  /// Whole milliseconds, from none to the longest a call may take.
  var wireMilliseconds: UInt64 {
    let duration = min(max(self, .zero), Limits.callTimeMaximum)
    let (seconds, attoseconds) = duration.components
    return UInt64(clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
  }
}
