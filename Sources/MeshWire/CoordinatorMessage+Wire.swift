internal import CMeshWire
internal import Checksums
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
    case .release(let job, let term):
      let release = make(mesh__v1__release__init)
      release.pointee.term = term
      release.pointee.job = self.job(job)
      envelope.pointee.body_case = MESH__V1__ENVELOPE__BODY_RELEASE
      envelope.pointee.release = release
    }
  }

  private func assign(
    _ assignment: Assignment, term: UInt64
  ) -> UnsafeMutablePointer<Mesh__V1__Assign> {
    let message = make(mesh__v1__assign__init)
    message.pointee.term = term
    message.pointee.job = job(assignment.job)
    message.pointee.spec = spec(assignment.spec)
    message.pointee.query_digest = digest(assignment.inputs.query)
    message.pointee.key_digest = digest(assignment.inputs.key)
    message.pointee.value_digest = digest(assignment.inputs.value)
    message.pointee.plan_hash = digest(assignment.planHash)
    (message.pointee.n_peers, message.pointee.peers) = list(assignment.peers) {
      let peer = make(mesh__v1__assign__peer__init)
      peer.pointee.worker = $0.worker.incarnation
      peer.pointee.endpoint = endpoint($0.endpoint)
      return peer
    }
    (message.pointee.n_hosts, message.pointee.hosts) = list(assignment.hosts) {
      let host = make(mesh__v1__assign__host__init)
      host.pointee.peer = wire32($0.peer)
      host.pointee.epoch = epoch($0.epoch)
      return host
    }
    return message
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
      return .release(try JobID(required: release.job), term: release.term)
    default:
      return nil
    }
  }
}

extension Assignment {
  init(_ message: Mesh__V1__Assign) throws(WireError) {
    let inputs = InputDigests(
      query: try Digest(required: message.query_digest),
      key: try Digest(required: message.key_digest),
      value: try Digest(required: message.value_digest))
    let assignment = Assignment(
      job: try JobID(required: message.job), spec: try AttentionJob(required: message.spec),
      inputs: inputs, vrankCount: message.n_hosts,
      planHash: try Digest(required: message.plan_hash),
      peers: try list(message.n_peers, message.peers, Peer.init(message:)),
      hosts: try list(message.n_hosts, message.hosts, Host.init(message:)))
    if let problem = assignment.problem { throw .outOfRange(problem) }
    self = assignment
  }
}

extension Assignment.Peer {
  init(message: Mesh__V1__Assign__Peer) throws(WireError) {
    self.init(
      worker: try WorkerID(sender: message.worker),
      endpoint: try MeshWire.endpoint(message.endpoint, "endpoint"))
  }
}

extension Assignment.Host {
  init(message: Mesh__V1__Assign__Host) throws(WireError) {
    self.init(
      peer: try number(message.peer, in: 0...(Limits.workersMaximum - 1), "host"),
      epoch: try Epoch(required: message.epoch))
  }
}
