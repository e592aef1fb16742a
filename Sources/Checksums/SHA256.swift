internal import CCrypto

/// SHA-256 (FIPS 180-4) of everything that has to be identified: inputs, plans, results.
package struct SHA256: ~Copyable {
  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto has no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Appends bytes to what is hashed.
  package func update(_ bytes: UnsafeRawBufferPointer) {
    let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    precondition(status == 1, "EVP_DigestUpdate failed")
  }

  /// The digest of everything given to `update`.
  package consuming func finish() -> Digest {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &words) { buffer in
      var count: UInt32 = 32
      let status = EVP_DigestFinal_ex(
        context, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), &count)
      precondition(status == 1 && count == 32, "EVP_DigestFinal_ex failed")
    }
    return Digest(words: words)
  }

  /// The digest of one buffer.
  package static func hash(_ bytes: UnsafeRawBufferPointer) -> Digest {
    let hasher = SHA256()
    hasher.update(bytes)
    return hasher.finish()
  }

  /// The digest of an array of bytes.
  package static func hash(_ bytes: [UInt8]) -> Digest {
    bytes.withUnsafeBytes { hash($0) }
  }
}
