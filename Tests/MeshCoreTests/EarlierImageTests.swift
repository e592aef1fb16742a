import Foundation
import MeshCore
import Testing

/// Stores of earlier versions stay readable.
@Suite struct EarlierImageTests {
  @Test("an image of version 0.1 is read, and what it lacks is told as unknown")
  func read() throws {
    let image = try JSONDecoder().decode(JobImage.self, from: Data(Self.image.utf8))
    #expect(image.state == .done && image.isDiscarded && image.number == 2)
    #expect(image.name == nil && image.submittedAt == nil && image.lastResult == nil)
    let core = Coordinator(
      configuration: Coordinator.Configuration(
        term: 5, storeEndpoint: "", diskQuotaBytes: .max, retention: .seconds(3_600), seed: 1,
        wallSeconds: image.writtenAt + 60),
      images: [image], at: .seconds(1))
    let mesh = CoordinatorHarness(core)
    let job = try #require(mesh.page().jobs.first)
    #expect(job.job == image.job && job.name.isEmpty && job.deadlineAt == nil)
    #expect(job.submittedAt == image.writtenAt - image.ageSeconds)
    #expect(job.result == ResultStatus(.discarded))
    let gone = mesh.call(.result(image.job))
    #expect(gone?.code == .notFound)
    #expect(gone?.message.contains("it was discarded or has expired") == true)
  }

  @Test("what was kept is still kept, for as long as results are kept")
  func kept() throws {
    var image = try JSONDecoder().decode(JobImage.self, from: Data(Self.image.utf8))
    image.isDiscarded = false
    let core = Coordinator(
      configuration: Coordinator.Configuration(
        term: 5, storeEndpoint: "", diskQuotaBytes: .max, retention: .seconds(3_600), seed: 1,
        wallSeconds: image.writtenAt + 60),
      images: [image], at: .seconds(1))
    let mesh = CoordinatorHarness(core, at: .seconds(1))
    let result = try #require(mesh.page().jobs.first?.result)
    #expect(result.state == .kept)
    #expect(abs((result.at ?? 0) - (image.writtenAt + 3_600)) < 0.01)
  }

  /// As `attnmesh coordinator --store` wrote it, but for the ends of lines.
  private static let image = #"""
    {"ageSeconds":0.234053207,"client":"root@vm","deadlineSeconds":0,"inputs":{"key":{"bytes":[107,
    122,211,121,242,236,119,127,19,68,126,214,96,34,33,88,58,19,74,185,238,17,162,250,199,42,146,
    179,141,73,181,73]},"query":{"bytes":[107,122,211,121,242,236,119,127,19,68,126,214,96,34,33,88,
    58,19,74,185,238,17,162,250,199,42,146,179,141,73,181,73]},"value":{"bytes":[107,122,211,121,
    242,236,119,127,19,68,126,214,96,34,33,88,58,19,74,185,238,17,162,250,199,42,146,179,141,73,181,
    73]}},"isDiscarded":true,"isProtected":true,"job":{"high":17228761599617418366,
    "low":9542717057686660834},"logSumExpDigest":{"bytes":[250,138,214,146,242,49,21,126,181,178,
    178,38,151,34,114,225,28,233,175,82,108,212,37,45,72,238,51,16,88,235,164,219]},"number":2,
    "outputDigest":{"bytes":[233,198,135,201,213,209,198,46,134,156,109,15,226,158,237,178,185,218,
    59,230,53,93,135,63,76,24,198,91,221,147,255,224]},"reason":"",
    "request":{"high":6240148339860816262,"low":12141445605999222014},
    "run":{"ageSeconds":0.157432117,"isFinal":[true,true,true],
    "participants":[{"level":"avx512bf16","name":"w1","numerics":"fma-f32-v1","processID":28817,
    "threads":2,"worker":{"incarnation":13079036456569760126}}],"recoveries":[],
    "table":{"hosts":[{"duty":1,"epoch":{"counter":5,"term":1796064468868},"isFresh":true,"peer":0,
    "sources":[]},{"duty":1,"epoch":{"counter":6,"term":1796064468868},"isFresh":true,"peer":0,
    "sources":[]},{"duty":1,"epoch":{"counter":7,"term":1796064468868},"isFresh":true,"peer":0,
    "sources":[]}],"inputs":{"key":{"bytes":[107,122,211,121,242,236,119,127,19,68,126,214,96,34,33,
    88,58,19,74,185,238,17,162,250,199,42,146,179,141,73,181,73]},"query":{"bytes":[107,122,211,121,
    242,236,119,127,19,68,126,214,96,34,33,88,58,19,74,185,238,17,162,250,199,42,146,179,141,73,181,
    73]},"value":{"bytes":[107,122,211,121,242,236,119,127,19,68,126,214,96,34,33,88,58,19,74,185,
    238,17,162,250,199,42,146,179,141,73,181,73]}},"isProtected":true,
    "job":{"high":17228761599617418366,"low":9542717057686660834},
    "peers":[{"endpoint":"tcp:\/\/127.0.0.1:39017","worker":{"incarnation":13079036456569760126}}],
    "planHash":{"bytes":[1,146,214,211,77,9,32,180,119,103,252,245,44,189,28,35,126,200,169,6,171,
    122,252,83,53,138,163,133,19,245,107,145]},"revision":{"counter":8,"term":1796064468868},
    "spec":{"batch":1,"element":1,"hasBatchDimension":false,"headDimension":16,"keyTokens":300,
    "keyValueHeads":2,"layout":2,"mask":2,"queryHeads":2,"queryTokens":300,"scale":0.25,"vranks":0},
    "vrankCount":3}},"spec":{"batch":1,"element":1,"hasBatchDimension":false,"headDimension":16,
    "keyTokens":300,"keyValueHeads":2,"layout":2,"mask":2,"queryHeads":2,"queryTokens":300,
    "scale":0.25,"vranks":0},"state":6,"version":1,"workerBytes":130321408,
    "writtenAt":1796064471.4099555}
    """#
}
