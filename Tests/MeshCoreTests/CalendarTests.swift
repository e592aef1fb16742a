import Foundation
import MeshCore
import Testing

/// Times of day, told in UTC.
@Suite struct CalendarTests {
  @Test(
    "an instant is written as ISO 8601",
    arguments: [
      (0.0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
      (951_782_400, "2000-02-29T00:00:00Z"), (951_868_799.9, "2000-02-29T23:59:59Z"),
      (4_107_542_400, "2100-03-01T00:00:00Z"), (1_796_063_280, "2026-11-30T18:28:00Z"),
      (253_402_300_799, "9999-12-31T23:59:59Z"), (-62_167_219_200, "0000-01-01T00:00:00Z"),
    ])
  func known(seconds: Double, text: String) {
    #expect(utc(seconds) == text)
  }

  @Test("it is the calendar that everybody has")
  func everyDay() {
    let style = Date.ISO8601FormatStyle()
    for day in stride(from: -50_000, to: 50_000, by: 7) {
      let seconds = Double(day) * 86_400 + Double((day * 7_919) % 86_400)
      #expect(utc(seconds) == Date(timeIntervalSince1970: seconds).formatted(style))
    }
  }

  @Test("milliseconds are cut, and what no calendar has is a dash")
  func milliseconds() {
    #expect(utcMilliseconds(1.9999) == "1970-01-01T00:00:01.999Z")
    #expect(utcMilliseconds(-0.25) == "1969-12-31T23:59:59.750Z")
    for strange in [Double.nan, .infinity, -.infinity, 1e300, 253_402_300_800] {
      #expect(utc(strange) == "-" && utcMilliseconds(strange) == "-")
    }
  }
}
