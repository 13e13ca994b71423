/** How a slot has stood since it was last cool. */
export type HeatStanding = Readonly<{ sinceMs: number; isHot: boolean }>

export type HeatLimits = Readonly<{
  /** Heat (slot-heat.ts) from which on a slot may become hot. */
  hotAt: number
  /** Below it, it is cool again. */
  coolAt: number
  /** How long it must not have been cool before it is called hot. */
  hotAfterMs: number
}>

/**
 * Which slots are hot, by how they stood before and how they are now: one that is near the limit keeps its standing, so that
 * nothing flaps, and one that nobody reports keeps it too, because unknown is not cool. Slots that are in neither are
 * forgotten. `goesOn`: the look before was not so long ago that nobody knows what came between; else the time until hot begins
 * anew. Cost: O(slots). Pure.
 */
export function judgeHeat(
  before: ReadonlyMap<string, HeatStanding>,
  heats: ReadonlyMap<string, number | undefined>,
  { nowMs, goesOn }: Readonly<{ nowMs: number; goesOn: boolean }>,
  { hotAt, coolAt, hotAfterMs }: HeatLimits,
): Map<string, HeatStanding> {
  const after = new Map<string, HeatStanding>()
  for (const [slot, heat] of heats) {
    const known = before.get(slot)
    if (heat !== undefined && heat < coolAt) continue
    if (known === undefined) {
      if (heat !== undefined && heat >= hotAt) after.set(slot, { sinceMs: nowMs, isHot: hotAfterMs <= 0 })
      continue
    }
    const sinceMs = known.isHot || goesOn ? known.sinceMs : nowMs
    const isLongEnough = heat !== undefined && heat >= hotAt && nowMs - sinceMs >= hotAfterMs
    after.set(slot, { sinceMs, isHot: known.isHot || isLongEnough })
  }
  return after
}
