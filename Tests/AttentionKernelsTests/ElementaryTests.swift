import AttentionKernels
import Glibc
import Testing

/// A level of the test's own: the bodies are compiled into the test as well.
private enum FusedProbe: FusedLevel {}
private enum SeparateProbe: SeparateLevel {}

@Suite struct ElementaryTests {
  @Test("2^x is within 2e-7 of the truth from 0 down to -100")
  func exp2Accuracy() {
    var worst = 0.0
    for step in 0..<20_000 {
      var x = Lanes()
      for lane in 0..<16 { x[lane] = -Float(step * 16 + lane) * (100 / 320_000) }
      for y in [exp2Lanes(FusedProbe.self, x), exp2Lanes(SeparateProbe.self, x)] {
        for lane in 0..<16 {
          let exact = Glibc.exp2(Double(x[lane]))
          worst = max(worst, abs(Double(y[lane]) / exact - 1))
        }
      }
    }
    #expect(worst < 2e-7, "\(worst)")
  }

  @Test("2^x is exactly 1 at 0, exactly 0 far below, and NaN for NaN of either sign")
  func exp2Special() {
    let x = Lanes(
      0, -0.0, -1, -2, -100, -100.001, -128, -1e4, -1e38, -.infinity, .nan, -.nan, -150, -149.5,
      -.greatestFiniteMagnitude, -1e-30)
    for y in [exp2Lanes(FusedProbe.self, x), exp2Lanes(SeparateProbe.self, x)] {
      #expect(y[0] == 1 && y[1] == 1 && y[2] == 0.5 && y[3] == 0.25 && y[4] == 0x1p-100)
      for lane in [5, 6, 7, 8, 9, 12, 13, 14] { #expect(y[lane].bitPattern == 0, "lane \(lane)") }
      #expect(y[10].isNaN && y[11].isNaN)
      #expect(y[15] == 1)
    }
  }

  @Test("tanh is within 5e-7 of the truth, odd, and NaN for NaN")
  func tangent() {
    var worst = 0.0
    for step in 0..<20_000 {
      var x = Lanes()
      for lane in 0..<16 { x[lane] = Float(step * 16 + lane - 160_000) * (20 / 160_000) }
      for y in [hyperbolicTangent(FusedProbe.self, x), hyperbolicTangent(SeparateProbe.self, x)] {
        for lane in 0..<16 where x[lane] != 0 {
          let exact = Glibc.tanh(Double(x[lane]))
          worst = max(worst, abs(Double(y[lane]) / exact - 1))
        }
      }
    }
    #expect(worst < 5e-7, "\(worst)")
    let special = Lanes(
      0, -0.0, 1e-30, -1e-30, .infinity, -.infinity, .nan, 1e38, -1e38, 100, -100, 9, 1, -1, 2, -2)
    let y = hyperbolicTangent(FusedProbe.self, special)
    #expect(y[0].bitPattern == 0 && y[1].bitPattern == 0x8000_0000 && y[6].isNaN)
    #expect(y[2] == 1e-30 && y[3] == -1e-30)
    #expect(y[4] == 1 && y[5] == -1 && y[7] == 1 && y[8] == -1 && y[9] == 1 && y[10] == -1)
  }

  @Test("logarithm and exponential in Double are within 1e-15 of libm's")
  func doubles() {
    var random = SplitMix64(seed: 51)
    for _ in 0..<100_000 {
      let x = Glibc.exp(Double.random(in: -700...700, using: &random))
      let exact = Glibc.log(x)
      #expect(abs(naturalLogarithm(x) - exact) <= 1e-15 * max(abs(exact), 1e-3))
      let y = Double.random(in: -700...700, using: &random)
      #expect(abs(naturalExponential(y) / Glibc.exp(y) - 1) <= 1e-15)
      let near = Double.random(in: 0.7...1.5, using: &random)
      #expect(
        abs(naturalLogarithm(near) - Glibc.log(near)) <= 2.3e-16 * abs(Glibc.log(near)) + 1e-18)
    }
    #expect(naturalLogarithm(1) == 0 && naturalExponential(0) == 1)
    #expect(naturalLogarithm(0) == -.infinity && naturalLogarithm(.infinity) == .infinity)
    #expect(naturalLogarithm(-1).isNaN && naturalLogarithm(.nan).isNaN)
    let least = Double.leastNonzeroMagnitude
    #expect(abs(naturalLogarithm(least) - Glibc.log(least)) < 1e-12)
    #expect(naturalExponential(-.infinity) == 0 && naturalExponential(.infinity) == .infinity)
    #expect(naturalExponential(.nan).isNaN)
    #expect(naturalExponential(-744).isEqual(to: Glibc.exp(-744)))
  }
}
