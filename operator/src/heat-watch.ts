import { isDeepStrictEqual } from 'node:util'
import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type HeatStanding, judgeHeat } from '@truenow/kernels/sharding/judge-heat.ts'
import { type HotSlot, hotSlots } from './hot-slots.ts'
import { LOOKS_APART_MS_MAX, WATCHED_CLUSTERS_MAX } from './silence-watch.ts'
import { slotFigures, slotKey } from './slot-figures.ts'

/** A slot must not have been cool for so long before it is called hot: a restart that reads what it missed ends sooner. */
export const HOT_AFTER_MS = 60_000
/** What a hot slot must come down to, in percent of where it becomes hot, to be cool. */
const COOL_PERCENT = 75
/** While the same is to be said of the same slots, figures are told anew this often: status must rest. */
const TOLD_ANEW_MS = 600_000

export type HeatWatch = Readonly<{
  /** One look at a cluster. `hotPercent`: of what one slot may take, from where on it is hot. */
  look: (clusterUid: string, placement: GetPlacementResponse, hotPercent: number) => void
  /** What the last look found, to be told; undefined: there was none of late. */
  told: (clusterUid: string) => readonly HotSlot[] | undefined
  /** Whether a slot, by `slotKey`, was hot at the last look. */
  isHot: (clusterUid: string, key: string) => boolean
}>

type Look = Readonly<{
  lookedMs: number
  standing: ReadonlyMap<string, HeatStanding>
  told: readonly HotSlot[]
  toldMs: number
}>

/** Which slots are hot, as looks of this process tell; a new one begins anew, and needs HOT_AFTER_MS. `nowMs` is monotonic. */
export function createHeatWatch(nowMs: () => number): HeatWatch {
  const clusters = new Map<string, Look>()
  const recent = (clusterUid: string) => {
    const known = clusters.get(clusterUid)
    return known !== undefined && nowMs() - known.lookedMs <= LOOKS_APART_MS_MAX ? known : undefined
  }
  return {
    look: (clusterUid, placement, hotPercent) => {
      const now = nowMs()
      const before = clusters.get(clusterUid)
      const figures = slotFigures(placement)
      const heats = new Map(figures.map(({ table, slot, hottest }) => [slotKey(table, slot), hottest?.heat]))
      const limits = { hotAt: hotPercent / 100, coolAt: (hotPercent * COOL_PERCENT) / 10_000, hotAfterMs: HOT_AFTER_MS } // biome-ignore format: one line
      const goesOn = recent(clusterUid) !== undefined
      const standing = judgeHeat(before?.standing ?? new Map(), heats, { nowMs: now, goesOn }, limits)
      const found = hotSlots(placement, figures, (key) => standing.get(key)?.isHot === true)
      const rests = before !== undefined && now - before.toldMs < TOLD_ANEW_MS && isDeepStrictEqual(found.map(newsOf), before.told.map(newsOf)) // biome-ignore format: one line
      const [told, toldMs] = rests ? [before.told, before.toldMs] : [found, now]
      clusters.delete(clusterUid)
      const [oldest] = clusters.keys()
      if (clusters.size >= WATCHED_CLUSTERS_MAX && oldest !== undefined) clusters.delete(oldest)
      clusters.set(clusterUid, { lookedMs: now, standing, told, toldMs })
    },
    told: (clusterUid) => recent(clusterUid)?.told,
    isHot: (clusterUid, key) => recent(clusterUid)?.standing.get(key)?.isHot === true,
  }
}

/** What people would act on; everything else may wait. */
const newsOf = ({ table, slot, advice, topKeys: [first] }: HotSlot) => ({
  table,
  slot,
  advice,
  key: first?.key,
})
