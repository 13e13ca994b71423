/**
 * SQL LIKE as a test: `%` is any run, `_` one code point, nothing escapes. Compiled once a query, run once a dictionary
 * entry. Cost: O(text) where no `%` stands inside, else backtracking over its places, at most O(text × parts).
 */
export function likePattern(pattern: string): (text: string) => boolean {
  const parts = pattern.split('%').map((part) => [...part])
  return (text) => matches([...text], parts)
}

function matches(text: readonly string[], parts: readonly (readonly string[])[]): boolean {
  const [first = [], ...rest] = parts
  if (!standsAt(text, first, 0)) return false
  if (rest.length === 0) return text.length === first.length
  const last = rest.at(-1) ?? []
  const end = text.length - last.length
  let at = first.length
  for (const part of rest.slice(0, -1)) {
    while (at + part.length <= end && !standsAt(text, part, at)) at++
    if (at + part.length > end) return false
    at += part.length
  }
  return at <= end && standsAt(text, last, end)
}

function standsAt(text: readonly string[], part: readonly string[], at: number): boolean {
  if (at + part.length > text.length) return false
  return part.every((one, index) => one === '_' || one === text[at + index])
}
