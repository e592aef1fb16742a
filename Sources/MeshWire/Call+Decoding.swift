internal import CMeshWire
internal import MeshCore

extension CallHeader {
  init(_ message: Mesh__V1__Call, version: Int) throws(WireError) {
    // Longer than an hour means an hour, so no sum of times overflows.
    let milliseconds = min(message.remaining_ms, Limits.callTimeMaximum.wireMilliseconds)
    self.init(
      version: version,
      request: RequestID(high: message.request_high, low: message.request_low),
      role: try enumeration(message.role.rawValue, "role"),
      client: try name(message.client, "client"),
      // 0 and 255 are no methods.
      method: UInt8(clamping: message.method), remaining: .milliseconds(milliseconds))
  }

  /// The method of a call that this build can read; else the answer to it.
  fileprivate func knownMethod(isBulk: Bool) -> Result<Method, CallFailure> {
    guard version == protocolVersion else {
      let text = "protocol version \(version); this side has version \(protocolVersion)"
      return .failure(CallFailure(.failedPrecondition, text))
    }
    guard let method = Method(rawValue: method) else {
      return .failure(CallFailure(.unimplemented, "method \(method) is not known"))
    }
    guard method.isBulk == isBulk else {
      let socket = method.isBulk ? "data" : "control"
      let text = "\(method.name) is served on the \(socket) socket"
      return .failure(CallFailure(.unimplemented, text))
    }
    return .success(method)
  }
}

extension CallRequest {
  static func received(
    _ message: Mesh__V1__Call, _ header: CallHeader
  ) -> Result<CallRequest, CallFailure> {
    header.knownMethod(isBulk: false).flatMap { method in
      do throws(WireError) {
        return .success(try CallRequest(message, method))
      } catch {
        return .failure(CallFailure(.invalidArgument, error.description))
      }
    }
  }

  private init(_ message: Mesh__V1__Call, _ method: Method) throws(WireError) {
    let arguments = message.arguments_case
    switch method {
    case .submit where arguments == MESH__V1__CALL__ARGUMENTS_SUBMIT:
      let submit = try required(message.submit, "submit")
      self = .submit(
        SubmitRequest(
          spec: try AttentionJob(required: submit.spec),
          deadlineSeconds: try seconds(
            submit.deadline_seconds, "deadline", maximum: WireCaps.secondsMaximum),
          isProtected: submit.is_unprotected == 0, name: try name(submit.name, "name"),
          isDryRun: submit.is_dry_run != 0))
    case .start, .status, .cancel, .result, .discard, .remove:
      guard arguments == MESH__V1__CALL__ARGUMENTS_JOB else { throw .missingField("job") }
      let job = try JobID(required: try required(message.job, "job").job)
      switch method {
      case .start: self = .start(job)
      case .status: self = .status(job)
      case .cancel: self = .cancel(job)
      case .result: self = .result(job)
      case .remove: self = .remove(job)
      default: self = .discard(job)
      }
    case .events where arguments == MESH__V1__CALL__ARGUMENTS_EVENTS:
      let events = try required(message.events, "events")
      self = .events(
        EventsRequest(
          after: events.after, job: events.job.map { JobID($0.pointee) }, term: events.term))
    case .drain where arguments == MESH__V1__CALL__ARGUMENTS_DRAIN:
      self = .drain(try name(try required(message.drain, "drain").worker, "worker"))
    case .cordon where arguments == MESH__V1__CALL__ARGUMENTS_CORDON:
      let cordon = try required(message.cordon, "cordon")
      self = .cordon(try name(cordon.worker, "worker"), isLifted: cordon.is_lifted != 0)
    case .mesh:
      self = .mesh
    case .list where arguments == MESH__V1__CALL__ARGUMENTS_LIST:
      self = .list(try ListRequest(message: try required(message.list, "list")))
    case .workers:
      self = .workers
    default:
      throw .missingField("arguments of \(method.name)")
    }
  }
}

extension ListRequest {
  fileprivate init(message: Mesh__V1__ListRequest) throws(WireError) {
    var states: [JobState] = []
    if let numbers = message.states {
      guard message.n_states <= JobState.allCases.count else {
        throw .outOfRange("\(message.n_states) states")
      }
      for index in 0..<message.n_states {
        states.append(try enumeration(numbers[index].rawValue, "job state"))
      }
    }
    let limit = try number(message.limit, in: 0...Limits.jobsPerPageMaximum, "limit")
    let prefix = try text(message.prefix, maximum: WireCaps.prefixDigitsMaximum, "prefix")
    guard prefix.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
      throw .outOfRange("prefix is no number")
    }
    self.init(
      before: try byteCount(message.before, "number of a job"),
      limit: limit == 0 ? Limits.jobsPerPageMaximum : limit, states: states, prefix: prefix)
  }
}

extension StoreRequest {
  static func received(
    _ message: Mesh__V1__Call, _ header: CallHeader
  ) -> Result<StoreRequest, CallFailure> {
    header.knownMethod(isBulk: true).flatMap { method in
      do throws(WireError) {
        return .success(try StoreRequest(message, method))
      } catch {
        return .failure(CallFailure(.invalidArgument, error.description))
      }
    }
  }

  private init(_ message: Mesh__V1__Call, _ method: Method) throws(WireError) {
    switch (method, message.arguments_case) {
    case (.upload, MESH__V1__CALL__ARGUMENTS_UPLOAD):
      let upload = try required(message.upload, "upload")
      self = .upload(
        UploadRequest(
          job: try JobID(required: upload.job),
          tensor: try enumeration(upload.tensor.rawValue, "tensor"),
          offset: try byteCount(upload.offset, "offset")))
    case (.read, MESH__V1__CALL__ARGUMENTS_READ):
      let read = try required(message.read, "read")
      self = .read(
        ReadRequest(
          job: try JobID(required: read.job),
          tensor: try enumeration(read.tensor.rawValue, "tensor"),
          offset: try byteCount(read.offset, "offset"),
          count: try number(read.count, in: 1...Limits.payloadBytesMaximum, "count")))
    default:
      throw .missingField("arguments of \(method.name)")
    }
  }
}

extension RequestID {
  init(_ reply: Mesh__V1__Reply) {
    self.init(high: reply.request_high, low: reply.request_low)
  }
}

extension CallFailure {
  /// Why the call wasn't done; nil when it was.
  init?(_ reply: Mesh__V1__Reply) throws(WireError) {
    let code = StatusCode(reply.status)
    guard code != .ok else { return nil }
    self.init(code, try text(reply.message, maximum: Limits.textBytesMaximum, "message"))
  }
}
