import type { Presence } from './plan-down.ts'

/**
 * Why the CRDs must stay on a cluster that somebody else made; undefined when they may go. A CRD that goes takes every
 * object of its kind with it, and without it any operator that is there fails. Pure.
 */
export function whyCrdsStay(
  found: Readonly<{
    operator: Presence
    /** `<namespace>/<release>` of the helm release that each CRD bears; empty when none. */
    releases: readonly string[]
    /** Objects that are left anywhere, by kind. */
    objects: Readonly<Record<string, number>>
  }>,
  ourRelease: string,
): string | undefined {
  const held = Object.entries(found.objects).filter(([, count]) => count > 0)
  if (held.length > 0) return `${held.map(([plural, count]) => `${count} ${plural}`).join(', ')} are there`
  if (found.operator === 'foreign') return 'the operator that stays needs them'
  const other = found.releases.find((release) => release !== ourRelease)
  return other === undefined ? undefined : `they are ${other === '' ? 'not of helm' : `of release ${other}`}`
}
