internal import CMeshWire
internal import Checksums
internal import MeshCore

extension Arena {
  func assign(
    _ assignment: Assignment, term: UInt64
  ) -> UnsafeMutablePointer<Mesh__V1__Assign> {
    let message = make(mesh__v1__assign__init)
    message.pointee.term = term
    message.pointee.job = job(assignment.job)
    message.pointee.spec = spec(assignment.spec)
    message.pointee.query_digest = digest(assignment.inputs.query)
    message.pointee.key_digest = digest(assignment.inputs.key)
    message.pointee.value_digest = digest(assignment.inputs.value)
    message.pointee.block_map_digest = digest(assignment.inputs.blockMap)
    message.pointee.output_gradient_digest = digest(assignment.inputs.outputGradient)
    message.pointee.row_statistics_digest = digest(assignment.inputs.rowStatistics)
    message.pointee.plan_hash = digest(assignment.planHash)
    message.pointee.revision = epoch(assignment.revision)
    message.pointee.is_protected = assignment.isProtected ? 1 : 0
    (message.pointee.n_peers, message.pointee.peers) = list(assignment.peers) {
      let peer = make(mesh__v1__assign__peer__init)
      peer.pointee.worker = $0.worker.incarnation
      peer.pointee.endpoint = endpoint($0.endpoint)
      peer.pointee.public_key = publicKey($0.publicKey)
      return peer
    }
    (message.pointee.n_hosts, message.pointee.hosts) = list(assignment.hosts, host)
    return message
  }

  private func host(
    _ host: Assignment.Host
  ) -> UnsafeMutablePointer<Mesh__V1__Assign__Host> {
    let message = make(mesh__v1__assign__host__init)
    if let peer = host.peer {
      message.pointee.has_peer_case = MESH__V1__ASSIGN__HOST__HAS_PEER_PEER
      message.pointee.peer = wire32(peer)
    }
    message.pointee.epoch = epoch(host.epoch)
    message.pointee.duty = Mesh__V1__Assign__Duty(UInt32(host.duty.rawValue))
    if let holder = host.holder {
      message.pointee.has_holder_case = MESH__V1__ASSIGN__HOST__HAS_HOLDER_HOLDER
      message.pointee.holder = wire32(holder)
    }
    (message.pointee.n_sources, message.pointee.sources) = numbers(
      host.sources.prefix(Assignment.Host.sourcesMaximum).map { wire32($0) })
    message.pointee.is_fresh = host.isFresh ? 1 : 0
    return message
  }
}

extension Assignment {
  init(_ message: Mesh__V1__Assign) throws(WireError) {
    let inputs = InputDigests(
      query: try Digest(required: message.query_digest),
      key: try Digest(required: message.key_digest),
      value: try Digest(required: message.value_digest),
      blockMap: try Digest.optional(message.block_map_digest),
      outputGradient: try Digest.optional(message.output_gradient_digest),
      rowStatistics: try Digest.optional(message.row_statistics_digest))
    let assignment = Assignment(
      job: try JobID(required: message.job), spec: try AttentionJob(required: message.spec),
      inputs: inputs, vrankCount: message.n_hosts,
      planHash: try Digest(required: message.plan_hash),
      revision: try Epoch(required: message.revision, "revision"),
      isProtected: message.is_protected != 0,
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
      endpoint: try MeshWire.endpoint(message.endpoint, "endpoint"),
      publicKey: try MeshWire.publicKey(message.public_key, "public_key"))
  }
}

extension Assignment.Host {
  init(message: Mesh__V1__Assign__Host) throws(WireError) {
    guard message.n_sources <= Self.sourcesMaximum else {
      throw .outOfRange("\(message.n_sources) sources")
    }
    let sources = UnsafeBufferPointer(start: message.sources, count: message.n_sources)
    self.init(
      peer: message.has_peer_case == MESH__V1__ASSIGN__HOST__HAS_PEER_PEER
        ? try peerIndex(message.peer, "host") : nil,
      epoch: try Epoch(required: message.epoch),
      duty: try enumeration(message.duty.rawValue, "duty"),
      holder: message.has_holder_case == MESH__V1__ASSIGN__HOST__HAS_HOLDER_HOLDER
        ? try peerIndex(message.holder, "holder") : nil,
      sources: try sources.map { source throws(WireError) in try peerIndex(source, "source") },
      isFresh: message.is_fresh != 0)
  }
}

/// Whether it is in the table is said by `Assignment.problem`.
private func peerIndex(_ index: UInt32, _ field: StaticString) throws(WireError) -> Int {
  try number(index, in: 0...(Limits.workersMaximum - 1), field)
}
