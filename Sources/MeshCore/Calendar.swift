/// An instant in UTC for people and programs: ISO 8601, to the second.
///
/// - Parameter seconds: since 1970; what no calendar of four-digit years has is a dash.
package func utc(_ seconds: Double) -> String {
  guard let (day, second) = split(seconds) else { return "-" }
  return "\(date(day))T\(digits(second / 3_600, 2)):\(digits(second / 60 % 60, 2))"
    + ":\(digits(second % 60, 2))Z"
}

/// The same to the millisecond.
package func utcMilliseconds(_ seconds: Double) -> String {
  guard split(seconds) != nil else { return "-" }
  let whole = seconds.rounded(.down)
  let milliseconds = min(999, Int((seconds - whole) * 1_000))
  return "\(utc(whole).dropLast()).\(digits(milliseconds, 3))Z"
}

/// Days since 1970, and the second of the day.
private func split(_ seconds: Double) -> (day: Int, second: Int)? {
  // The years 0 to 9999.
  guard (-62_167_219_200..<253_402_300_800).contains(seconds) else { return nil }
  let whole = Int(seconds.rounded(.down))
  let second = (whole % 86_400 + 86_400) % 86_400
  return ((whole - second) / 86_400, second)
}

/// The Gregorian date of a day: eras of 400 years that begin in March, so that the leap day is the last
/// one of its year.
private func date(_ day: Int) -> String {
  let shifted = day + 719_468
  let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
  let dayOfEra = shifted - era * 146_097
  let year = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
  let month = (5 * dayOfYear + 2) / 153
  let calendarMonth = month < 10 ? month + 3 : month - 9
  let calendarYear = year + era * 400 + (calendarMonth <= 2 ? 1 : 0)
  let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
  return "\(digits(calendarYear, 4))-\(digits(calendarMonth, 2))-\(digits(dayOfMonth, 2))"
}

/// How long something takes that takes hours or less.
func span(_ duration: Duration) -> String {
  let hours = duration.seconds / 3_600
  if hours >= 1, hours == hours.rounded() { return "\(Int(hours)) h" }
  return hours >= 1 ? "\(tenths(duration / 3_600)) h" : "\(tenths(duration)) s"
}

private func digits(_ value: Int, _ count: Int) -> String {
  let text = "\(value)"
  return String(repeating: "0", count: max(0, count - text.count)) + text
}
