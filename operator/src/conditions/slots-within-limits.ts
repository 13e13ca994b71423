import type { StaysBecause } from '@truenow/kernels/sharding/plan-hot-moves.ts'
import type { HotSlot } from '../hot-slots.ts'
import { type Judgement, NOTHING_REASON } from './judgement.ts'

/** Hot slots that one message names; the others are counted. */
const NAMED_SLOTS_MAX = 3
/** From this share of a slot's rows on one key is what makes it hot: more slots would not help. */
const KEY_SHARE_MIN = 0.3

/** What stands in the way, as constants, so that status, Event and runbook say the same. */
export const STAYS: Readonly<Record<StaysBecause, string>> = {
  'beyond-a-shard': 'it needs a shard for itself, so it would be as hot anywhere',
  'no-other-shard': 'every shard that may be given more holds it; raise hotTier.shards',
  'no-room': 'no other shard has the memory; raise hotTier.memoryPerShard or hotTier.shards',
  'no-gain': 'the other shards are as busy; raise hotTier.shards',
}

/**
 * Does each slot of a table keep within what one slot may take. A slot that a move helps is hot, one that none helps is too
 * hot: a slot is never split, so only another table takes its rows apart. `hot` undefined: not known. Pure.
 */
export function slotsWithinLimits(hot: readonly HotSlot[] | undefined, cluster: string): Judgement {
  const type = 'SlotsWithinLimits'
  if (hot === undefined)
    return {
      type,
      status: 'Unknown',
      reason: 'NotLooked',
      message: 'Nobody has looked at the load of slots yet.',
    }
  const stuck = hot.filter(({ advice }) => advice !== 'moving' && 'stays' in advice)
  const [worst, ...others] = stuck.toSorted((a, b) => b.heat - a.heat || a.slot - b.slot)
  if (worst !== undefined) {
    const all = [worst, ...others].slice(0, NAMED_SLOTS_MAX).map(tooHot).join(' ')
    const message = `${all}${andOthers(stuck.length)} ${remedy(worst)}`
    return { type, status: 'False', reason: 'SlotTooHot', message }
  }
  if (hot.length === 0)
    return {
      type,
      status: 'True',
      reason: NOTHING_REASON,
      message: 'No slot is near what one slot may take.',
    }
  const message = `${hot
    .slice(0, NAMED_SLOTS_MAX)
    .map((slot) => movable(slot, cluster))
    .join(' ')}${andOthers(hot.length)}`
  return { type, status: 'False', reason: 'SlotHot', message }
}

const andOthers = (count: number): string =>
  count > NAMED_SLOTS_MAX ? ` So are ${count - NAMED_SLOTS_MAX} others.` : ''

function tooHot(slot: HotSlot): string {
  const why = slot.advice !== 'moving' && 'stays' in slot.advice ? STAYS[slot.advice.stays] : ''
  return `${figuresOf(slot)}, and no move helps: ${why}.${keysOf(slot)}`
}

function movable(slot: HotSlot, cluster: string): string {
  if (slot.advice === 'moving') return `${figuresOf(slot)}; it is being moved.`
  const to = 'move' in slot.advice ? slot.advice.move.to : undefined
  return `${figuresOf(slot)}; shard ${to} is less busy: a Rebalance moves it there (kubectl truenow rebalance plan ${cluster}).${keysOf(slot)}`
}

/** Rounded: they are told to be read, not to be followed. */
function figuresOf({ slot, shard, heat, rowsPerSecond, busyShare, bytes }: HotSlot): string {
  const mib = Math.max(1, Math.round(bytes / 2 ** 20))
  return `Slot ${slot} on shard ${shard} takes about ${percent(heat)} of what one slot may: ${Number(rowsPerSecond.toPrecision(2))} rows/s, ${percent(busyShare)} of a core, ${mib} MiB`
}

function keysOf({ topKeys }: HotSlot): string {
  if (topKeys.length === 0) return ''
  const named = topKeys.map(({ key, share }) => `${key} (${percent(share)})`)
  return ` Its top keys: ${named.join(', ')}.`
}

function remedy({ topKeys: [first] }: HotSlot): string {
  const how =
    first !== undefined && first.share >= KEY_SHARE_MIN
      ? 'another partitionBy, by which these rows go to several slots'
      : 'more slots, or another partitionBy'
  return `A slot is never split: create another table with ${how}, and send its events there.`
}

const percent = (share: number): string => `${Math.round(share * 100)} %`
