import MeshCore
import MeshRuntime
import Testing

/// A job is found by the beginning of its id.
@Suite struct JobPrefixTests {
  private func job(_ low: UInt64, name: String) -> JobSummary {
    JobSummary(
      job: JobID(high: 0xABCD_EF00_0000_0000, low: low), client: "ann", state: .queued, reason: "",
      spec: sampleJob, folded: 0, total: 0, ageSeconds: 1, wallSeconds: 0, name: name,
      submittedAt: 1e9)
  }

  private func refusal(_ page: JobPage) -> String {
    do throws(MeshError) {
      return "found \(try page.only("abcd"))"
    } catch {
      return error.kind == .badInput ? error.message : "another kind: \(error.message)"
    }
  }

  @Test("the only one is it")
  func only() throws {
    let page = JobPage(jobs: [job(7, name: "")], next: 0, total: 1)
    #expect(try page.only("abcd") == JobID(high: 0xABCD_EF00_0000_0000, low: 7))
    #expect(refusal(JobPage(jobs: [], next: 0, total: 0)).hasPrefix("no job begins with abcd"))
  }

  @Test("of several each is told, with what people know it by")
  func ambiguous() {
    let page = JobPage(jobs: [job(7, name: "a\nb"), job(6, name: "")], next: 3, total: 5)
    #expect(
      refusal(page) == """
        5 jobs begin with abcd; give more digits:
          abcdef00000000000000000000000007 a\u{FFFD}b, queued, submitted 2001-09-09T01:46:40Z
          abcdef00000000000000000000000006, queued, submitted 2001-09-09T01:46:40Z
          and 3 more
        """)
  }
}
