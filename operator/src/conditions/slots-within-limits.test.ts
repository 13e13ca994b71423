import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HotSlot } from '../hot-slots.ts'
import { STAYS, slotsWithinLimits } from './slots-within-limits.ts'

const slot = (number: number, advice: HotSlot['advice'], more: Partial<HotSlot> = {}): HotSlot => ({
  table: 'production.events',
  slot: number,
  held: [0, 1],
  shard: 1,
  heat: 0.8,
  rowsPerSecond: 98_765.4,
  busyShare: 0.8,
  bytes: 3 << 20,
  topKeys: [],
  advice,
  ...more,
})
const many = { topKeys: [{ key: 'user_id="u1"', share: 0.08 }] }
const one = { topKeys: [{ key: 'user_id="u1"', share: 0.9 }, { key: 'user_id="u2"', share: 0.05 }] } // biome-ignore format: one line
const stuck = { stays: 'no-gain' } as const

const cases: ReadonlyArray<[name: string, hot: readonly HotSlot[] | undefined, is: string, says: readonly RegExp[]]> = [
  ['nobody looked', undefined, 'Unknown NotLooked', []],
  ['none is hot', [], 'True NothingToDo', []],
  ['a move helps', [slot(3, { move: { from: 1, to: 2 } })], 'False SlotHot', [/^Slot 3 on shard 1 takes about 80 % .* 99000 rows\/s, 80 % of a core, 3 MiB; shard 2 is less busy: .*rebalance plan demo/]],
  ['it moves', [slot(3, 'moving')], 'False SlotHot', [/it is being moved\.$/]],
  ['no move helps, by one key', [slot(3, stuck, one)], 'False SlotTooHot', [/no move helps: the other shards are as busy/, /user_id="u1" \(90 %\), user_id="u2" \(5 %\)/, /another partitionBy, by which these rows go to several slots/]],
  ['no move helps, by many keys', [slot(3, stuck, many)], 'False SlotTooHot', [/more slots, or another partitionBy/]],
  ['one of each', [slot(3, 'moving'), slot(4, stuck)], 'False SlotTooHot', [/^Slot 4/]],
  ['the hottest first', [slot(3, stuck), slot(4, stuck, { heat: 0.9 })], 'False SlotTooHot', [/^Slot 4 .* Slot 3 /]],
  ['many', [0, 1, 2, 3, 4].map((number) => slot(number, stuck)), 'False SlotTooHot', [/So are 2 others\./]],
] // biome-ignore format: a table
for (const [name, hot, is, says] of cases)
  test(`slotsWithinLimits: ${name}`, () => {
    const { status, reason, message } = slotsWithinLimits(hot, 'demo')
    assert.equal(`${status} ${reason}`, is)
    for (const pattern of says) assert.match(message, pattern)
  })

test('slotsWithinLimits: whatever is in the way is said, with what helps where anything but another table does', () => {
  for (const [why, sentence] of Object.entries(STAYS)) {
    const { message } = slotsWithinLimits([slot(1, { stays: why as keyof typeof STAYS })], 'demo')
    assert.ok(message.includes(sentence))
    assert.equal(sentence.includes('raise'), why !== 'beyond-a-shard')
  }
})
