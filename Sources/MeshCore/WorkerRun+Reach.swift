/// Peers that this worker can't connect to, such as one whose address is not the one it told: the
/// coordinator hears of them, and until there is a connection nothing is asked of them and no copies
/// are sent to them.
extension WorkerRun {
  func isReachable(_ source: Worker.Source) -> Bool {
    guard case .peer(let worker) = source else { return true }
    return !unreachable.contains(worker)
  }

  mutating func reach(
    _ peer: WorkerID, _ isReachable: Bool, at now: Duration, into effects: inout [Worker.Effect]
  ) {
    guard assignment.peer(of: peer) != nil, peer != worker,
      unreachable.contains(peer) == isReachable
    else { return }
    if isReachable {
      unreachable.removeAll { $0 == peer }
    } else {
      unreachable.append(peer)
      unreachable.sort()
    }
    tellSoon()
    for index in ranks.indices where ranks[index].holder == peer { noteReach(ofHolder: index) }
    if !isReachable { lose(.peer(peer), at: now, into: &effects) }
  }

  /// A copy on its way to a holder that can't be reached is given up, and made anew when it can be.
  mutating func noteReach(ofHolder index: Int) {
    let isReachable = ranks[index].holder.map { self.isReachable(.peer($0)) } ?? true
    guard ranks[index].copies.isUnreachable == isReachable else { return }
    ranks[index].copies.isUnreachable = !isReachable
    guard isReachable else { return }
    ranks[index].copies.holderAnswered()
    ranks[index].copies.isDue = ranks[index].dispatched > 0
  }
}
