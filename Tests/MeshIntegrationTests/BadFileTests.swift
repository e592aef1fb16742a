import ElementTypes
import Glibc
import Testing

extension Integration {
  /// Input files that are wrong, alone or together.
  @Suite struct BadFiles {
    /// A file's name, what it holds, and what the error says of it.
    struct Case: Sendable, CustomTestStringConvertible {
      var name: String
      var says: [String]
      var write: @Sendable (String) throws -> Void
      var testDescription: String { name }

      init(_ name: String, _ says: String..., write: @escaping @Sendable (String) throws -> Void) {
        (self.name, self.says, self.write) = (name, says, write)
      }
    }

    static let files: [Case] = [
      Case("missing.npy", "No such file") { _ in },
      Case("directory.npy", "is a directory") { mkdir($0, 0o700) },
      Case("lfs.npy", "Git LFS pointer", "git lfs pull") {
        NpyFile.write($0, Array("version https://git-lfs.github.com/spec/v1\nsize 9\n".utf8))
      },
      Case("empty.npy") { NpyFile.write($0, []) },
      Case("text.npy") { NpyFile.write($0, Array("1 2 3\n4 5 6\n".utf8)) },
      Case("tensor.txt", ".npy") { NpyFile.write($0, shape: [2, 8, 4]) },
      Case("double.npy", "<f8") {
        NpyFile.write($0, type: "<f8", shape: [2, 8, 4], elementBytes: 8)
      },
      Case("integer.npy", "<i4") { NpyFile.write($0, type: "<i4", shape: [2, 8, 4]) },
      Case("big-endian.npy", ">f4") { NpyFile.write($0, type: ">f4", shape: [2, 8, 4]) },
      Case("fortran.npy", "Fortran") { NpyFile.write($0, order: "True", shape: [2, 8, 4]) },
      Case("rank-2.npy", "[8, 4]", "[heads, tokens, head_dim]") {
        NpyFile.write($0, shape: [8, 4])
      },
      Case("rank-5.npy", "[heads, tokens, head_dim]") {
        NpyFile.write($0, shape: [1, 1, 2, 8, 4])
      },
      Case("rank-0.npy") { NpyFile.write($0, shape: []) },
      Case("no-tokens.npy", "zero") { NpyFile.write($0, shape: [2, 0, 4]) },
      Case("pickle.npy", "|O") {
        NpyFile.write($0, type: "|O", shape: [2, 8, 4], elementBytes: 8)
      },
      Case("truncated.npy", "cut short") { path in
        NpyFile.write(path, shape: [2, 8, 4])
        truncate(path, off_t(contents(of: path).count - 1))
      },
      Case("longer.npy", "goes on") { path in
        NpyFile.write(path, shape: [2, 8, 4])
        NpyFile.write(path, contents(of: path) + [0])
      },
      Case("claims-more.npy", "larger") {
        NpyFile.write(
          $0,
          header:
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4, 8), }",
          dataBytes: 64)
      },
      Case("header-bomb.npy") {
        NpyFile.write(
          $0, [0x93] + Array("NUMPY".utf8) + [2, 0, 255, 255, 255, 127] + Array("{'descr':".utf8))
      },
      Case("nested.npy") {
        NpyFile.write($0, header: String(repeating: "(", count: 50_000), dataBytes: 0, version: 2)
      },
      Case("sparse.npy", "goes on") { path in
        NpyFile.write(path, shape: [2, 8, 4])
        truncate(path, 1 << 40)
      },
      Case("bomb.safetensors") {
        NpyFile.write($0, [255, 255, 255, 255, 255, 255, 255, 127] + Array("{}".utf8))
      },
      Case("bytes.safetensors", "I64") { path in
        let header = #"{"a":{"dtype":"I64","shape":[1,1,1],"data_offsets":[0,8]}}"#
        NpyFile.write(
          path,
          [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8)
            + [UInt8](repeating: 0, count: 8))
      },
    ]

    @Test(arguments: files)
    func oneOfThem(file: Case) throws {
      try withScratch { scratch in
        NpyFile.write(scratch.file("good.npy"), shape: [2, 8, 4])
        let bad = scratch.file(file.name)
        try file.write(bad)
        // Whatever place it has, and whoever computes.
        for place in 0..<3 {
          var names = [String](repeating: scratch.file("good.npy"), count: 3)
          names[place] = bad
          let run = try scratch.run(
            ["attend", "--output", scratch.file("o.npy"), "--query", names[0], "--key", names[1]]
              + ["--value", names[2]] + (place == 1 ? ["--workers", "2"] : []))
          expectRefusal(run, code: 2, file.name)
          for text in file.says { #expect(run.errors.contains(text), "\(run.errors)") }
          #expect(!run.errors.contains("\0"))
        }
        #expect(!scratch.exists("o.npy"))
        #expect(scratch.names(in: scratch.temporary) == [])
      }
    }

    /// Shapes of query, key and value that don't go together.
    static let shapes: [([Int], [Int], [Int], String)] = [
      ([2, 8, 4], [2, 8, 4], [2, 9, 4], "shapes must be equal"),
      ([2, 8, 4], [2, 8, 4], [1, 8, 4], "shapes must be equal"),
      ([3, 8, 4], [2, 8, 4], [2, 8, 4], "3 query heads are not a multiple of 2"),
      ([1, 8, 4], [2, 8, 4], [2, 8, 4], "1 query heads are not a multiple of 2"),
      ([2, 8, 4], [2, 8, 5], [2, 8, 5], "head dimension 4, key 5"),
      ([2, 8, 257], [2, 8, 257], [2, 8, 257], "head dimension is 257; it must be 1 to 256"),
      ([2, 2, 8, 4], [3, 2, 8, 4], [3, 2, 8, 4], "batch of 2, key of 3"),
      ([1, 2, 8, 4], [2, 8, 4], [2, 8, 4], "batch dimension"),
      ([65_537, 1, 1], [1, 1, 1], [1, 1, 1], "query heads is 65537; it must be 1 to 65536"),
      ([300, 300, 1, 1], [300, 300, 1, 1], [300, 300, 1, 1], "batch × query heads is 90000"),
    ]

    @Test(arguments: shapes)
    func shapesThatDoNotGoTogether(query: [Int], key: [Int], value: [Int], says: String) throws {
      try withScratch { scratch in
        var flags = ["attend", "--output", scratch.file("o.npy")]
        for (name, shape) in [("query", query), ("key", key), ("value", value)] {
          NpyFile.write(scratch.file("\(name).npy"), shape: shape)
          flags += ["--\(name)", scratch.file("\(name).npy")]
        }
        expectRefusal(try scratch.run(flags), code: 2, says)
        #expect(!scratch.exists("o.npy"))
      }
    }

    @Test func typesThatDoNotGoTogether() throws {
      try withScratch { scratch in
        var tensors = try JobTensors.fixture(heads: 1, keyHeads: 1, tokens: 10)
        tensors.value = TensorData(
          tensors.value.floats, element: .float32, shape: tensors.value.shape)
        let run = try scratch.run(
          ["attend", "--output", scratch.file("o.npy")] + tensors.write(to: scratch))
        expectRefusal(run, code: 2, "value float32; they must have one type")
        #expect(!scratch.exists("o.npy"))
      }
    }

    /// Named by tensor, head and token; anything but the flag lets it pass.
    @Test func nonfiniteIsRefusedOnlyWhenAskedFor() throws {
      try withScratch { scratch in
        for (place, value) in [Float.nan, .infinity, -.infinity].enumerated() {
          var tensors = try JobTensors.fixture(heads: 3, keyHeads: 3, tokens: 20)
          tensors.key.set(value, head: 2, token: 13, column: 5)
          let flags = try tensors.write(to: scratch)
          let output = ["attend", "--quiet", "--output", scratch.file("o\(place).npy")]
          let run = try scratch.run(output + flags + ["--reject-nonfinite"])
          expectRefusal(run, code: 2, "key.npy", "key holds", "head 2, token 13")
          #expect(!scratch.exists("o\(place).npy"))
          #expect(try scratch.run(output + flags).wait() == .code(0))
        }
      }
    }
  }
}
