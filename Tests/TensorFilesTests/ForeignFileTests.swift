import TensorFiles
import Testing

/// Files that are something else than their name says.
struct ForeignFileTests {
  /// What a file holds, and what is said of it.
  static let files: [(bytes: [UInt8], says: [String])] = [
    (
      Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n".utf8),
      ["Git LFS pointer", "git lfs pull"]
    ),
    (Array("\u{FEFF}\n <!DOCTYPE html>\n<html lang='en'>".utf8), ["web page", "download"]),
    (Array("<HTML><HEAD>".utf8), ["web page"]),
    (Array("<?xml version=\"1.0\"?><Error>".utf8), ["XML", "download it again"]),
    (Array("{\"error\": \"Repository not found\"}".utf8), ["text", "Repository not found"]),
    (
      hexadecimal("504b0304 1400 0000 0000 0000 0000 00000000 00000000 00000000 0700 0000")
        + Array("key.npy".utf8), [".npz archive", "numpy.load('x.npz')"]
    ),
    (
      hexadecimal("504b0304 0000 0808 0000 0000 0000 00000000 00000000 00000000 1000 0000")
        + Array("archive/data.pkl".utf8), ["torch.save", "safetensors.torch.save_file"]
    ),
    (hexadecimal("504b0506") + [UInt8](repeating: 0, count: 18), ["zip archive"]),
    (hexadecimal("80049503"), ["pickle", "never loaded", "numpy.save"]),
    (hexadecimal("80027d71"), ["pickle"]),
    (hexadecimal("1f8b0800 00000000 0003"), ["gzip", "gunzip"]),
    (hexadecimal("28b52ffd 0458"), ["zstd", "unzstd"]),
    (hexadecimal("fd377a585a00 0004"), ["xz", "unxz"]),
    (Array("BZh91AY&SY".utf8), ["bzip2", "bunzip2"]),
    (hexadecimal("894844460d0a1a0a"), ["HDF5"]),
    (Array("GGUF".utf8) + [3, 0, 0, 0], ["GGUF"]),
    (
      Array("q.npy".utf8) + [UInt8](repeating: 0, count: 252) + Array("ustar\0".utf8),
      ["tar archive"]
    ),
    ([], ["empty"]),
  ]

  @Test("each is named as what it is, with what to do", arguments: files)
  func named(bytes: [UInt8], says: [String]) throws {
    let directory = try TemporaryDirectory()
    for name in ["x.npy", "x.safetensors"] {
      let path = try directory.write(bytes, as: name)
      let error = try #require(refusal(path))
      #expect(error.kind == .malformed)
      for text in says { #expect(error.description.contains(text), "\(error)") }
      #expect(error.advice != nil && !error.description.contains("\n"))
    }
  }

  @Test("the two formats under each other's name")
  func exchanged() throws {
    let directory = try TemporaryDirectory()
    expectRefusal(
      try directory.write(Fixture.version1, as: "x.safetensors"), .malformed, "a .npy file",
      "ends in .npy")
    expectRefusal(
      try directory.write(Fixture.safetensors, as: "x.npy"), .malformed, "a .safetensors file",
      "ends in .safetensors")
  }

  @Test("a sound header whose length looks like a gzip file is read")
  func falseFriend() throws {
    let directory = try TemporaryDirectory()
    // 559,903 bytes of header: 1f 8b 08 00 …
    let entry = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    let header = entry + String(repeating: " ", count: 0x088B1F - entry.utf8.count)
    let path = try directory.write(safetensors(header, data: 8), as: "x.safetensors")
    #expect(try TensorFile(opening: path).shape == [2])
  }
}
