import ElementTypes
import TensorFiles
import Testing

struct ConversionTests {
  private func decoded(_ halves: [UInt16], _ element: ElementType) -> [Float] {
    var floats = [Float](repeating: 0, count: halves.count)
    halves.withUnsafeBytes { bytes in
      floats.withUnsafeMutableBufferPointer { element.decode(bytes, into: $0) }
    }
    return floats
  }

  private func encoded(_ floats: [Float], _ element: ElementType) -> [UInt16] {
    var halves = [UInt16](repeating: 0, count: floats.count)
    halves.withUnsafeMutableBytes { bytes in
      floats.withUnsafeBufferPointer { element.encode($0, into: bytes) }
    }
    return halves
  }

  private let everyHalf = (0...UInt16.max).map { $0 }

  @Test("every float16 decodes as the standard library has it")
  func decodeFloat16() {
    let floats = decoded(everyHalf, .float16)
    for (half, float) in zip(everyHalf, floats) {
      let expected = Float(Float16(bitPattern: half))
      if expected.isNaN {
        #expect(float.isNaN && float.sign == (half >> 15 == 0 ? .plus : .minus))
      } else if float.bitPattern != expected.bitPattern {
        Issue.record("\(half): \(float), not \(expected)")
      }
    }
  }

  @Test("every float16 and bfloat16 that is a number survives a round trip; NaN stays NaN")
  func roundTrip() {
    for element in [ElementType.float16, .bfloat16] {
      let floats = decoded(everyHalf, element)
      for (index, half) in encoded(floats, element).enumerated() {
        if floats[index].isNaN {
          #expect(decoded([half], element)[0].isNaN)
        } else if half != everyHalf[index] {
          Issue.record("\(element): \(everyHalf[index]) came back as \(half)")
        }
      }
    }
  }

  @Test("floats round to the nearest float16, ties to even, over the whole range")
  func encodeFloat16() {
    for float in samples(between: decoded(everyHalf, .float16)) {
      let half = encoded([float], .float16)[0]
      let expected = Float16(float)
      if float.isNaN {
        #expect(Float16(bitPattern: half).isNaN)
      } else if half != expected.bitPattern {
        Issue.record("\(float): \(half), not \(expected.bitPattern)")
      }
    }
  }

  @Test("floats round to the nearest bfloat16, ties to even, over the whole range")
  func encodeBFloat16() {
    for float in samples(between: decoded(everyHalf, .bfloat16)) {
      let half = encoded([float], .bfloat16)[0]
      if float.isNaN {
        #expect(decoded([half], .bfloat16)[0].isNaN)
        continue
      }
      // In 64 bits, where nothing can overflow: the lower neighbour, the rest, and the rule.
      let bits = UInt64(float.bitPattern)
      let lower = bits >> 16
      let rest = bits & 0xFFFF
      let up = rest > 0x8000 || (rest == 0x8000 && lower & 1 == 1)
      if UInt64(half) != lower + (up ? 1 : 0) { Issue.record("\(float): \(half)") }
    }
  }

  /// Every stored number, the points half-way between neighbours, the floats beside both, and a
  /// seeded million from all bit patterns.
  private func samples(between floats: [Float]) -> [Float] {
    var result: [Float] = [.nan, -.nan, .signalingNaN, .infinity, -.infinity, 65519.996, 65520]
    for (low, high) in zip(floats, floats.dropFirst()) where low.isFinite && high.isFinite {
      let middle = Float((Double(low) + Double(high)) / 2)
      for point in [low, middle] { result += [point, point.nextUp, point.nextDown] }
    }
    var random = SplitMix64(state: 11)
    for _ in 0..<1_000_000 {
      result.append(Float(bitPattern: UInt32(truncatingIfNeeded: random.next())))
    }
    result.append(Float(bitPattern: 0x7F80_0001))
    result.append(Float(bitPattern: 0x7FFF_FFFF))
    result.append(Float(bitPattern: 0xFFFF_FFFF))
    return result
  }

  @Test("float32 is copied bit for bit, from any alignment")
  func float32() {
    let floats: [Float] = [1, -0.0, .signalingNaN, .infinity, .leastNonzeroMagnitude]
    var bytes = [UInt8](repeating: 0, count: 21)
    bytes.withUnsafeMutableBytes { buffer in
      let odd = UnsafeMutableRawBufferPointer(rebasing: buffer[1...])
      floats.withUnsafeBufferPointer { ElementType.float32.encode($0, into: odd) }
      var back = [Float](repeating: 0, count: 5)
      back.withUnsafeMutableBufferPointer {
        ElementType.float32.decode(UnsafeRawBufferPointer(odd), into: $0)
      }
      #expect(back.map(\.bitPattern) == floats.map(\.bitPattern))
    }
  }

  @Test("the first NaN or infinity is found where it is, and finite extremes are not")
  func firstNonfinite() {
    for element in ElementType.allCases {
      for count in [1, 1023, 1024, 1025, 5000] {
        for place in Set([0, count / 2, count - 1]) {
          for value in [Float.nan, .infinity, -.infinity, -.nan] {
            var floats = [Float](repeating: -65504, count: count)
            #expect(scan(floats, element) == nil)
            floats[place] = value
            floats[count - 1] = value
            #expect(scan(floats, element) == place)
          }
        }
      }
      #expect(scan([], element) == nil)
      #expect(scan([0, -0.0, .leastNonzeroMagnitude], element) == nil)
    }
    #expect(scan([.greatestFiniteMagnitude], .float32) == nil)
  }

  private func scan(_ floats: [Float], _ element: ElementType) -> Int? {
    var bytes = [UInt8](repeating: 0, count: floats.count * element.byteCount)
    bytes.withUnsafeMutableBytes { buffer in
      floats.withUnsafeBufferPointer { element.encode($0, into: buffer) }
    }
    return bytes.withUnsafeBytes { element.firstNonfinite(in: $0) }
  }
}
