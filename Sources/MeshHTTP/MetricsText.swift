/// The Prometheus text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
struct MetricsText: Sendable {
  private(set) var text = ""

  /// One line of a family: a value and what tells it from the others.
  struct Sample: Sendable {
    let labels: [(name: String, value: String)]
    let value: Double

    init(_ labels: [(name: String, value: String)] = [], _ value: Double) {
      self.labels = labels
      self.value = value
    }

    init(_ name: String, _ label: String, _ value: Double) { self.init([(name, label)], value) }
  }

  /// A value that goes up and down.
  mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    gauge(name, help, [Sample([], value)])
  }

  mutating func gauge(_ name: String, _ help: String, _ samples: [Sample]) {
    precondition(!name.hasSuffix("_total"), name)
    family(name, "gauge", help, samples)
  }

  /// A value that only grows while the process lives.
  mutating func counter(_ name: String, _ help: String, _ value: Double) {
    counter(name, help, [Sample([], value)])
  }

  mutating func counter(_ name: String, _ help: String, _ samples: [Sample]) {
    precondition(name.hasSuffix("_total"), name)
    family(name, "counter", help, samples)
  }

  private mutating func family(
    _ name: String, _ type: String, _ help: String, _ samples: [Sample]
  ) {
    guard !samples.isEmpty else { return }
    text += "# HELP \(name) \(escaped(help, quotes: false))\n# TYPE \(name) \(type)\n"
    for sample in samples {
      let labels = sample.labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
      text += labels.isEmpty ? name : "\(name){\(labels.joined(separator: ","))}"
      text += " \(number(sample.value))\n"
    }
  }
}

/// Backslashes and line feeds, and in label values quotation marks, would end what they stand in.
private func escaped(_ text: String, quotes: Bool) -> String {
  var escaped = ""
  for character in text.unicodeScalars {
    switch character {
    case "\\": escaped += "\\\\"
    case "\n": escaped += "\\n"
    case "\"": escaped += quotes ? "\\\"" : "\""
    default: escaped.unicodeScalars.append(character)
    }
  }
  return escaped
}

private func number(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
  if let whole = Int64(exactly: value) { return "\(whole)" }
  return "\(value)"
}
