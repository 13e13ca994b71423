import type { Health } from '@truenow/chassis/health.ts'
import type { TableFreshness } from './judge-table.ts'
import type { WatermarkMetrics } from './metrics.ts'

/** Tables that get a series of their own; the rest count in the totals only. */
const TABLE_SERIES_MAX = 200
/** Slots that a reason names; the rest are counted. */
const NAMED_MAX = 3

/** Puts a judgement of all tables into metrics and into the role's own health, by name. */
export function showFreshness(
  tables: readonly TableFreshness[],
  metrics: WatermarkMetrics,
  health: Health,
): void {
  const slots = tables.flatMap(({ namespace, table, slots: all }) =>
    all.map((slot) => ({ ...slot, name: `${namespace}.${table}[${slot.slot}]` })),
  )
  metrics.freshnessSeconds.reset()
  for (const { namespace, table, freshnessUs } of tables.slice(0, TABLE_SERIES_MAX)) {
    if (freshnessUs !== undefined) metrics.freshnessSeconds.set({ namespace, table }, freshnessUs / 1e6)
  }
  metrics.tablesUnknown.set(tables.filter(({ watermarkUs }) => watermarkUs === undefined).length)
  for (const each of ['ACTIVE', 'IDLE', 'LAGGING', 'STALLED', 'UNKNOWN'] as const) {
    metrics.slots.set({ health: each.toLowerCase() }, slots.filter((slot) => slot.health === each).length)
  }
  const mismatched = slots.filter(({ mismatch }) => mismatch !== '')
  const unbalanced = slots.filter((slot) => slot.unbalanced !== '')
  const stuck = slots.filter((slot) => slot.health === 'STALLED' || slot.health === 'UNKNOWN')
  metrics.mismatchedSlots.set(mismatched.length)
  metrics.unbalancedSlots.set(unbalanced.length)
  const check = (name: string, bad: typeof slots, why: (slot: (typeof slots)[number]) => string) => {
    const named = bad.slice(0, NAMED_MAX).map((slot) => `${slot.name}: ${why(slot)}`)
    if (bad.length > NAMED_MAX) named.push(`and ${bad.length - NAMED_MAX} more`)
    if (bad.length === 0) health.setCheck(name, { status: 'healthy' })
    else health.setCheck(name, { status: 'degraded', reason: named.join('; ') })
  }
  check('replicas agree', mismatched, ({ mismatch }) => mismatch)
  check('rows are conserved', unbalanced, (slot) => slot.unbalanced)
  check('slots progress', stuck, ({ culprit }) => culprit)
}
