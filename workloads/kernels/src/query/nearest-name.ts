/** Longest name that is compared: the table's own names end at 63 characters. */
const NAME_LENGTH_MAX = 64

/**
 * The candidate that a mistyped name most likely meant; undefined when none is near enough to be worth saying.
 * Near: at most a third of the letters, and at least one, differ. Ties go to the first candidate.
 * Cost: O(candidates × length²). Source: optimal string alignment distance (Damerau 1964, Boytsov 2011).
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined
  let nearest: string | undefined
  let distance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    const found = alignmentDistance(name.toLowerCase(), candidate.toLowerCase())
    if (found >= distance) continue
    nearest = candidate
    distance = found
  }
  return nearest
}

function alignmentDistance(source: string, target: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: target.length + 1 }, (_, column) => column)
  for (let row = 1; row <= source.length; row++) {
    const current = [row]
    for (let column = 1; column <= target.length; column++) {
      const same = source[row - 1] === target[column - 1]
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = source[row - 1] === target[column - 2] && source[row - 2] === target[column - 1]
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[target.length]!
}
