/// No element, one or two, without memory of its own.
package struct AtMostTwo<Element: Sendable>: RandomAccessCollection, Sendable {
  private var first: Element?
  private var second: Element?

  package init(_ first: Element? = nil, _ second: Element? = nil) {
    self.first = first ?? second
    self.second = first == nil ? nil : second
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { first == nil ? 0 : second == nil ? 1 : 2 }

  package subscript(place: Int) -> Element {
    guard let element = place == 0 ? first : second else {
      preconditionFailure("element \(place) of \(count)")
    }
    return element
  }

  /// - Precondition: there are fewer than two.
  mutating func append(_ element: Element) {
    precondition(second == nil, "a third element")
    self = AtMostTwo(first ?? element, first == nil ? nil : element)
  }
}
