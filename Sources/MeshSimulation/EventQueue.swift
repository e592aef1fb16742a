/// What is going to happen, by time; of two things at the same time the one that was added first.
struct EventQueue<Element> {
  private struct Entry {
    let time: Int
    let sequence: UInt64
    let place: Int

    static func < (left: Entry, right: Entry) -> Bool {
      left.time != right.time ? left.time < right.time : left.sequence < right.sequence
    }
  }

  /// A binary heap of small entries: elements are large, and stay where they are.
  private var heap: [Entry] = []
  private var elements: [Element?] = []
  private var free: [Int] = []
  private var lastSequence: UInt64 = 0

  var isEmpty: Bool { heap.isEmpty }

  mutating func add(_ element: Element, at time: Int) {
    lastSequence += 1
    let place: Int
    if let reused = free.popLast() {
      place = reused
      elements[place] = element
    } else {
      place = elements.count
      elements.append(element)
    }
    heap.append(Entry(time: time, sequence: lastSequence, place: place))
    rise(from: heap.count - 1)
  }

  mutating func next() -> (time: Int, element: Element)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    guard let element = elements[first.place] else { preconditionFailure("an entry without event") }
    elements[first.place] = nil
    free.append(first.place)
    return (first.time, element)
  }

  private mutating func rise(from start: Int) {
    var child = start
    let entry = heap[child]
    while child > 0 {
      let parent = (child - 1) / 2
      guard entry < heap[parent] else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = entry
  }

  private mutating func sink() {
    let entry = heap[0]
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < entry else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = entry
  }
}
