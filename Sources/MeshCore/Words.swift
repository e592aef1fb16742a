/// "1 job", "2 jobs", "0 jobs".
///
/// - Parameter plural: of a noun that doesn't just take an s.
package func counted(_ count: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(count) \(count == 1 ? noun : plural ?? noun + "s")"
}

/// "a worker", "an operator": by the letter, which is right for all that is said here.
package func withArticle(_ noun: String) -> String {
  let vowels: Set<Character> = ["a", "e", "i", "o", "u"]
  return "\(noun.first.map { vowels.contains($0) } == true ? "an" : "a") \(noun)"
}
