import { nearestName } from '../query/nearest-name.ts'

/** Different unknown names of one request that get a hint: each costs a comparison with every column. */
export const NAME_HINTS_MAX = 16

/** Answers, for a name that is no column, the end of its refusal: with the column that was likely meant, or nothing. */
export function createNameHints(columns: ReadonlyMap<string, unknown>): (name: string) => string {
  const known = new Map<string, string>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    if (known.size >= NAME_HINTS_MAX) return ''
    const near = nearestName(name, columns.keys())
    const hint = near === undefined ? '' : `; did you mean "${near}"?`
    known.set(name, hint)
    return hint
  }
}
