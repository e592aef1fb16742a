internal import ArgumentParser
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// `attnmesh bench wire`.
struct BenchWire: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wire",
    abstract: "How fast K/V tiles travel, against ZeroMQ alone and with encryption.",
    discussion: """
      Tiles are packed and checksummed once, sent over loopback, decoded, verified and copied into the
      layout that the kernel reads. ZeroMQ alone sends messages of the same sizes over the same kinds
      of sockets with the same water marks, and nobody looks at them. Runs take turns. In the end two
      workers compute a job together, which shows how long they wait for tiles.
      """.prose)

  @Option(help: "Triples of runs: ZeroMQ alone, tiles, encrypted tiles.")
  var pairs = 11

  @Option(help: "Bytes moved in a run, such as 2G.")
  var bytes = "2G"

  @Option(help: "Tokens of the two workers' job.")
  var tokens = 24_576

  @OptionGroup var options: BenchOptions

  func run() throws {
    var bench = WireBench()
    bench.pairs = try number("\(pairs)", "--pairs", in: 1...1_000)
    bench.bytes = try byteCount(bytes, "--bytes")
    bench.tokens = try number("\(tokens)", "--tokens", in: 256...Limits.tokensMaximum)
    let interruption = Interruption()
    let result = try bench.run(
      isCancelled: { interruption.isRequested }, progress: { options.tell($0) })
    if options.json {
      printJSON(result)
    } else {
      let unit = Double(1 << 30)
      printTable(
        [
          "", "ZEROMQ GiB/s", "TILES GiB/s", "TILES / ZEROMQ", "ENCRYPTED / TILES",
          "CPU s/GiB: ZEROMQ", "TILES",
        ],
        result.lines.map { line in
          [
            line.what, line.raw.text(2, per: unit), line.tiles.text(2, per: unit),
            line.tilesOverRaw.text(3), line.curveOverTiles.text(3),
            line.rawProcessor.text(2, per: 1 / unit), line.tilesProcessor.text(2, per: 1 / unit),
          ]
        })
      let waits = zip(result.waitOverCompute, result.computeSeconds).map {
        "\(decimal($0 * 100, 2)) % of \(decimal($1, 1)) s"
      }
      print("two workers waited \(waits.joined(separator: " and "))")
    }
    try options.conclude(result.findings)
  }
}
