import { moveLoad, type ShardLoad, shardUse, shiftLoad } from './shard-use.ts'

/** A replica of a hot slot, or what it would be on another shard: shares of one core, and bytes in memory. */
export type HotSlot = Readonly<{
  slot: string
  /** Its greatest heat (slot-heat.ts). */
  heat: number
  /** Shards that hold it. */
  held: readonly number[]
  busyShare: number
  bytes: number
}>

/** Why a hot slot stays where it is. */
export type StaysBecause =
  /** It needs a shard for itself, or more than that. */
  | 'beyond-a-shard'
  /** Every shard that may be given more holds it. */
  | 'no-other-shard'
  /** None that may be given more has the memory. */
  | 'no-room'
  /** Wherever it went, that shard would be hardly better off than its own is. */
  | 'no-gain'
export type HotVerdict =
  | Readonly<{ kind: 'moves'; slot: string; from: number; to: number }>
  | Readonly<{ kind: 'stays'; slot: string; why: StaysBecause }>

/** A slot that takes so much of what one slot may take would be no cooler anywhere. */
const BEYOND_HEAT_MIN = 0.9
/** What a move must better, in shares of a shard: for less nothing is copied. */
const GAIN_MIN = 0.1

/**
 * What to do about each hot slot, hottest first: away from its busiest shard to the least busy one that may have it, where
 * that betters the busier of the two by GAIN_MIN; else why it stays. Each move is reckoned with for those after it. Same
 * input, same verdicts, whatever the order. A plan that is carried out never makes the busiest of the shards it names busier,
 * so that plan after plan ends. Cost: O(hot slots × shards log shards). Source: greedy. Pure.
 */
export function planHotMoves(hot: readonly HotSlot[], loads: readonly ShardLoad[]): readonly HotVerdict[] {
  const now = new Map(loads.map((load) => [load.shard, load]))
  const byUse = () => [...now.values()].toSorted((a, b) => shardUse(b) - shardUse(a) || a.shard - b.shard)
  return hot
    .toSorted((a, b) => b.heat - a.heat || (a.slot < b.slot ? -1 : 1))
    .map((slot) => {
      const verdict = judge(slot, byUse())
      if (verdict.kind === 'moves') moveLoad(now, verdict, slot)
      return verdict
    })
}

function judge(slot: HotSlot, byUse: readonly ShardLoad[]): HotVerdict {
  const stays = (why: StaysBecause) => ({ kind: 'stays', slot: slot.slot, why }) as const
  if (slot.heat >= BEYOND_HEAT_MIN) return stays('beyond-a-shard')
  const [from] = byUse.filter(({ shard }) => slot.held.includes(shard))
  const others = byUse.filter(({ shard, takes }) => takes && !slot.held.includes(shard)).toReversed()
  if (from === undefined || others.length === 0) return stays('no-other-shard')
  const roomy = others.filter(({ bytes, bytesMax }) => bytesMax === 0 || bytes + slot.bytes <= bytesMax)
  if (roomy.length === 0) return stays('no-room')
  const goal = shardUse(from) - GAIN_MIN
  const relieved = shardUse(shiftLoad(from, slot, -1)) <= goal
  const to = roomy.find((one) => shardUse(shiftLoad(one, slot, 1)) <= goal)
  if (!relieved || to === undefined) return stays('no-gain')
  return { kind: 'moves', slot: slot.slot, from: from.shard, to: to.shard }
}
