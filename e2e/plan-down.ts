/** Of a namespace: whether it is there, and whether `make up` made it. */
export type Presence = 'absent' | 'ours' | 'foreign'
export type DownPlan = Readonly<{
  quickstart: boolean
  /** The release goes with its namespace or not at all. */
  operator: boolean
  /** For people: what stays, and why. */
  left: readonly string[]
}>

/**
 * What `make down` takes from a cluster that somebody else made: only what bears the mark of `make up`, because there a
 * namespace of the same name may hold somebody's data. Pure.
 */
export function planDown(found: Readonly<{ operator: Presence; quickstart: Presence }>): DownPlan {
  const left: string[] = []
  if (found.quickstart === 'foreign') left.push('the namespace of the quickstart: `make up` did not make it')
  if (found.operator === 'foreign')
    left.push('the release and its namespace: `make up` did not make that namespace')
  return { quickstart: found.quickstart === 'ours', operator: found.operator === 'ours', left }
}
