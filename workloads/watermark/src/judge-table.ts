import type { TableView } from '@truenow/chassis/catalog-view.ts'
import type { Patience } from './judge-replica.ts'
import { judgeSlot, type SlotFreshness } from './judge-slot.ts'
import { type Observations, slotKey } from './observations.ts'
import type { ToldWatermarks } from './told-watermarks.ts'

export type TableFreshness = Readonly<{
  namespace: string
  table: string
  /** Minimum over the slots; undefined while any slot's is unknown. */
  watermarkUs: number | undefined
  /** How far behind `nowUs` complete answers are, beyond the allowed lateness; never below 0. */
  freshnessUs: number | undefined
  residentRows: number
  slots: readonly SlotFreshness[]
}>

/** Judges every table, or one; an unknown table is an empty list. */
export type JudgeNow = (only?: Readonly<{ namespace: string; name: string }>) => readonly TableFreshness[]

/** Judges every slot of a table from what was observed, and their minimum. */
export function judgeTable(
  { definition, slots }: TableView,
  observations: Observations,
  told: ToldWatermarks,
  patience: Patience,
  nowUs: number,
): TableFreshness {
  const { namespace, name, allowedLatenessUs } = definition
  const judged = slots.map(({ slot, replicas }) => {
    const key = slotKey(namespace, name, slot)
    const assigned = replicas.map((replica) => ({
      ...replica,
      view: observations.replica(replica.shard, key),
      failure: observations.shardFailure(replica.shard),
    }))
    const found = judgeSlot(slot, assigned, observations.ingestersOf(key), patience)
    const watermarkUs = told.tell(key, found.watermarkUs)
    if (watermarkUs !== undefined || found.watermarkUs === undefined) return { ...found, watermarkUs }
    const behind = `the replicas left stand at watermark ${found.watermarkUs}, below ${told.highest(key)} already told`
    return { ...found, watermarkUs, culprit: found.culprit || behind }
  })
  const known = judged.flatMap(({ watermarkUs }) => (watermarkUs === undefined ? [] : [watermarkUs]))
  const watermarkUs =
    known.length === judged.length && known.length > 0 ? known.reduce((a, b) => Math.min(a, b)) : undefined
  return {
    namespace,
    table: name,
    watermarkUs,
    freshnessUs: watermarkUs === undefined ? undefined : Math.max(0, nowUs - watermarkUs - allowedLatenessUs),
    residentRows: judged.reduce((sum, { residentRows }) => sum + residentRows, 0),
    slots: judged,
  }
}
