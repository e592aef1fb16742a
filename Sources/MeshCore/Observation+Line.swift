extension Observation {
  /// One line for a person.
  package var line: String {
    var line = kind.name
    if let job { line += " job=\(job)" }
    if let worker { line += " worker=\(worker)" }
    if let vrank { line += " vrank=\(vrank)" }
    if !detail.isEmpty { line += " " + detail }
    return printable(line)
  }
}
