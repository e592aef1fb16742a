extension String {
  /// Text of a help screen that was written in lines of the source's width: lines of a paragraph become
  /// one, which the argument parser wraps for the terminal. Indented lines are examples and stay as
  /// they are.
  var prose: String {
    var lines: [String] = []
    var joins = false
    for line in split(separator: "\n", omittingEmptySubsequences: false) {
      let isProse = !line.isEmpty && line.first != " "
      if isProse, joins, let last = lines.popLast() {
        lines.append("\(last) \(line)")
      } else {
        lines.append(String(line))
      }
      // What ends with a colon announces what follows.
      joins = isProse && line.last != ":"
    }
    return lines.joined(separator: "\n")
  }
}
