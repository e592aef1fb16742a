import Glibc
import MeshCore
import MeshRuntime
import Testing

/// Lines of the log.
@Suite struct ObservationLogTests {
  private let time = timespec(tv_sec: 1_790_000_000, tv_nsec: 42_999_999)
  private let full = Observation(
    .rehosted, job: JobID(high: 1, low: 2), worker: "w1", vrank: VRank(3), detail: "under 3.4")

  @Test("a text line has time, level, kind, job, worker, vrank and detail")
  func text() {
    #expect(
      ObservationLog.line(full, .text, at: time)
        == "2026-09-21T14:13:20.042Z notice rehosted job=00000000000000010000000000000002"
        + " worker=w1 vrank=3 under 3.4")
    #expect(
      ObservationLog.line(Observation(.jobFailed), .text, at: time)
        == "2026-09-21T14:13:20.042Z error job-failed")
  }

  @Test("a JSON line has stable keys, and only what is known")
  func json() {
    #expect(
      ObservationLog.line(full, .json, at: time)
        == #"{"job":"00000000000000010000000000000002","kind":"rehosted","level":"notice","#
        + #""message":"under 3.4","time":"2026-09-21T14:13:20.042Z","vrank":3,"worker":"w1"}"#)
    #expect(
      ObservationLog.line(Observation(.started), .json, at: time)
        == #"{"kind":"started","level":"info","message":"","time":"2026-09-21T14:13:20.042Z"}"#)
  }

  @Test("nothing that a name or a reason holds breaks a line or moves the cursor")
  func control() {
    let nasty = "a\nb\r\u{1B}[2Jc\u{0}d\u{85}e\u{2028}f\u{202E}g\"\\"
    let observation = Observation(.workerLost, worker: nasty, detail: nasty)
    let text = ObservationLog.line(observation, .text, at: time)
    #expect(text.contains("worker=a�b��[2Jc�d�e�f�g\"\\ a�b"))
    let json = ObservationLog.line(observation, .json, at: time)
    for byte in Array(text.utf8) + Array(json.utf8) { #expect(byte >= 0x20 && byte != 0x7F) }
  }
}
