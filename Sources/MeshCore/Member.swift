/// A worker that said hello and has not been lost.
struct Member: Sendable {
  let hello: WorkerMessage.Hello
  var lastHeard: Duration
  var residentBytes = 0

  var id: WorkerID { hello.worker }
  var name: String { hello.name }
}
