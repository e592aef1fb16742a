import TensorFiles
import Testing

struct TensorLocationTests {
  private func parts(_ text: String) throws -> (path: String, tensor: String?) {
    let location = try TensorLocation.parse(text)
    #expect(location.description == text)
    switch location.format {
    case .npy: return (location.path, "(npy)")
    case .safetensors(let tensor): return (location.path, tensor)
    case .piped(let tensor): return (location.path, "(pipe)" + (tensor ?? ""))
    }
  }

  @Test("a location is a .npy path, or a .safetensors path with or without a name")
  func formats() throws {
    #expect(try parts("/a/q.npy") == ("/a/q.npy", "(npy)"))
    #expect(try parts("a b/é.npy") == ("a b/é.npy", "(npy)"))
    #expect(try parts("m.safetensors") == ("m.safetensors", nil))
    #expect(try parts("m.safetensors:q") == ("m.safetensors", "q"))
    #expect(try parts("m.safetensors:a:b.npy") == ("m.safetensors", "a:b.npy"))
    #expect(try parts("m.safetensors:x.safetensors:y") == ("m.safetensors", "x.safetensors:y"))
    #expect(try parts("m.safetensors.npy") == ("m.safetensors.npy", "(npy)"))
    #expect(try parts("m.safetensors:\u{301}q") == ("m.safetensors", "\u{301}q"))
  }

  @Test("a pipe has no extension")
  func pipes() throws {
    #expect(try parts("-") == ("-", "(pipe)"))
    #expect(try parts("-:q") == ("-", "(pipe)q"))
    #expect(try parts("/dev/fd/63") == ("/dev/fd/63", "(pipe)"))
    #expect(try parts("/dev/stdin:a:b") == ("/dev/stdin", "(pipe)a:b"))
    #expect(try parts("/dev/fd/q.npy") == ("/dev/fd/q.npy", "(npy)"))
    #expect(try TensorLocation.parse("-").isReadOnce)
    #expect(try !TensorLocation.parse("/dev/null.npy").isReadOnce)
  }

  @Test("anything else is refused with what would do")
  func refused() {
    for text in ["", "q", "q.npz", "q.NPY", "q.npy:x", "m.safetensors:", "m.safetensor", "npy"] {
      expectRefusal(text, .location)
    }
    expectRefusal("q.pt", .location, "q.pt", ".npy", "FILE.safetensors:NAME")
    expectRefusal("q.npy\0.npy", .location, "NUL")
  }
}
