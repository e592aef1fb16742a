import Glibc
import Testing

extension Integration {
  /// The live page in a real browser. `ATTNMESH_SCREENSHOT=FILE` keeps what it looked like.
  @Suite struct LivePage {
    /// Nil, said aloud, where there is no browser; CI has to have one.
    private func browser(_ scratch: Scratch) throws -> Browser? {
      guard let path = Browser.path else {
        if getenv("CI").map({ String(cString: $0) }) == "true" {
          throw HarnessError("no Chromium: apt-get install chromium")
        }
        print("skipped: no Chromium here; apt-get install chromium")
        return nil
      }
      return try Browser(path, scratch, width: 1_180, height: 800)
    }

    @Test func showsALossAndItsRecovery() throws {
      try withScratch { scratch in
        guard let browser = try browser(scratch) else { return }
        let slow = try SlowJob(scratch)
        let mesh = try Mesh(
          scratch, workers: 3, coordinatorFlags: ["--http", "127.0.0.1:0"],
          environment: SlowJob.slowness(30))
        let hostile = picturePath == nil ? "<b>w4</b>&\"" : "w4"
        try mesh.startWorker(hostile)
        let port = try HTTPClient(mesh.coordinator).port
        try browser.open("http://127.0.0.1:\(port)/")
        try eventually("the workers") {
          try browser.texts("#workers td:first-child").sorted()
            == ["w1", "w2", "w3", hostile].sorted()
        }
        #expect(try browser.texts("#state") == ["healthy"])
        #expect(try browser.texts("#story").first?.contains("Nothing was lost") == true)

        let job = try mesh.submit(slow.flags)
        try eventually("progress on the page") {
          try browser.texts("#job dd").contains { $0.hasPrefix("running") }
            && (browser.value("document.querySelector('progress')?.value ?? 0") as? Double ?? 0)
              > 0.1
        }
        #expect(try browser.texts("#ring .name").contains(hostile))
        try eventually("tiles on their way") {
          try browser.value(
            "[...document.querySelectorAll('#ring .flow')]"
              + ".some((flow) => Number(flow.getAttribute('stroke-opacity')) > 0)") as? Bool == true
        }

        let start = monotonicSeconds()
        try mesh.kill("w2")
        try eventually("the loss on the page") {
          try browser.texts("#story [data-recovery=\"w2\"] strong") == [" w2 lost"]
        }
        print("a killed worker is on the page after \(monotonicSeconds() - start) s")
        #expect(try browser.texts("#ring .lost-name") == ["w2"])
        #expect(try browser.texts("#workers .bad-text") == ["lost"])
        try eventually("the recovery on the page") {
          try browser.texts("#story [data-recovery=\"w2\"] .ok-text").first?
            .hasPrefix("recovered after ") == true
        }
        print("and its recovery after \(monotonicSeconds() - start) s")
        try keep(browser.screenshot())

        // Nothing is believed to be well when nobody answers.
        mesh.coordinator.signal(SIGSTOP)
        try eventually("the silence on the page") {
          try browser.texts("#banner").first?.contains("has not answered") == true
            && browser.texts("#state") == ["no answer"]
        }
        mesh.coordinator.signal(SIGCONT)
        try eventually("health on the page") { try browser.texts("#state") == ["healthy"] }
        #expect(try browser.value("document.getElementById('banner').hidden") as? Bool == true)
        #expect(try mesh.result(job) == slow.alone)
        try eventually("the end on the page") {
          try browser.texts("#job dd").contains("done")
        }
        try expectNoComplaints(browser)
      }
    }

    private var picturePath: String? {
      getenv("ATTNMESH_SCREENSHOT").map { String(cString: $0) }
    }

    /// What names hold is shown as text, and the page runs nothing but its own script.
    private func expectNoComplaints(_ browser: Browser) throws {
      #expect(try browser.value("document.querySelectorAll('main b').length") as? Int == 0)
      let others = browser.complaints.filter { !$0.contains("ERR_") }
      #expect(others.isEmpty, "\(others)")
    }

    private func keep(_ picture: [UInt8]) throws {
      #expect(picture.starts(with: [0x89, 0x50, 0x4E, 0x47]) && picture.count > 20_000)
      guard let path = picturePath else { return }
      let file = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
      defer { close(file) }
      guard picture.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == picture.count
      else { throw HarnessError("\(path): \(String(cString: strerror(errno)))") }
    }
  }
}
