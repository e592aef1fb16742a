internal import CMeshWire
internal import MeshCore

extension Arena {
  func fill(_ envelope: UnsafeMutablePointer<Mesh__V1__Envelope>, _ message: CoordinatorMessage) {
    switch message {
    case .welcome(let term, let storeEndpoint):
      let welcome = make(mesh__v1__welcome__init)
      welcome.pointee.term = term
      welcome.pointee.store_endpoint = endpoint(storeEndpoint)
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_WELCOME
      envelope.pointee.welcome = welcome
    case .refused(let status, let reason):
      let refused = make(mesh__v1__refused__init)
      refused.pointee.status = status.wire
      refused.pointee.reason = text(reason, maximum: Limits.textBytesMaximum)
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_REFUSED
      envelope.pointee.refused = refused
    case .beat(let term):
      let beat = make(mesh__v1__beat__init)
      beat.pointee.term = term
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_BEAT
      envelope.pointee.beat = beat
    case .assign(let assignment, let term):
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_ASSIGN
      envelope.pointee.assign = assign(assignment, term: term)
    case .release(let job, let isOver, let term):
      let release = make(mesh__v1__release__init)
      release.pointee.term = term
      release.pointee.job = self.job(job)
      release.pointee.is_over = isOver ? 1 : 0
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_RELEASE
      envelope.pointee.release = release
    case .introduce(let term):
      let introduce = make(mesh__v1__introduce__init)
      introduce.pointee.term = term
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_INTRODUCE
      envelope.pointee.introduce = introduce
    case .cordon(let isCordoned, let term):
      let cordon = make(mesh__v1__cordon__init)
      cordon.pointee.term = term
      cordon.pointee.is_cordoned = isCordoned ? 1 : 0
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_CORDON
      envelope.pointee.cordon = cordon
    case .drain(let term):
      let drain = make(mesh__v1__drain__init)
      drain.pointee.term = term
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_DRAIN
      envelope.pointee.drain = drain
    case .leave(let term):
      let leave = make(mesh__v1__leave__init)
      leave.pointee.term = term
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_LEAVE
      envelope.pointee.leave = leave
    }
  }
}

extension CoordinatorMessage {
  /// The message of an envelope other than a refusal; nil for another kind.
  static func received(_ envelope: Mesh__V1__Envelope) throws(WireError) -> CoordinatorMessage? {
    switch envelope.body_case {
    case MESH__V1__ENVELOPE__BODY_WELCOME:
      let welcome = try required(envelope.welcome, "welcome")
      return .welcome(
        term: welcome.term, storeEndpoint: try endpoint(welcome.store_endpoint, "store endpoint"))
    case MESH__V1__ENVELOPE__BODY_BEAT:
      return .beat(term: try required(envelope.beat, "beat").term)
    case MESH__V1__ENVELOPE__BODY_ASSIGN:
      let assign = try required(envelope.assign, "assignment")
      return .assign(try Assignment(assign), term: assign.term)
    case MESH__V1__ENVELOPE__BODY_RELEASE:
      let release = try required(envelope.release, "release")
      return .release(
        try JobID(required: release.job), isOver: release.is_over != 0, term: release.term)
    case MESH__V1__ENVELOPE__BODY_INTRODUCE:
      return .introduce(term: try required(envelope.introduce, "introduce").term)
    case MESH__V1__ENVELOPE__BODY_DRAIN:
      return .drain(term: try required(envelope.drain, "drain").term)
    case MESH__V1__ENVELOPE__BODY_CORDON:
      let cordon = try required(envelope.cordon, "cordon")
      return .cordon(cordon.is_cordoned != 0, term: cordon.term)
    case MESH__V1__ENVELOPE__BODY_LEAVE:
      return .leave(term: try required(envelope.leave, "leave").term)
    default:
      return nil
    }
  }
}
