import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GetPlacementResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { createSilenceWatch, LOOKS_APART_MS_MAX } from './silence-watch.ts'

const LOST_MS = 10_000
const silent = (...shards: number[]) =>
  create(GetPlacementResponseSchema, {
    catalog: { shards: [{ shard: 0 }, { shard: 1 }] },
    silentShards: shards,
  })

type Look = readonly [afterMs: number, placement: ReturnType<typeof silent>]

/** Looks at these, each so many ms after the one before; answers what the last one calls lost. */
function lostAfter(looks: readonly Look[]): number[] {
  let nowMs = 0
  const watch = createSilenceWatch(() => nowMs)
  let lost: ReadonlySet<number> = new Set()
  for (const [afterMs, placement] of looks) {
    nowMs += afterMs
    lost = watch.look('c', placement, LOST_MS)
    assert.deepEqual(watch.lost('c'), lost)
  }
  return [...lost]
}

const cases: ReadonlyArray<[what: string, looks: readonly Look[], lost: number[]]> = [
  ['not before its time', [[0, silent(1)], [LOST_MS - 1, silent(1)]], []],
  ['at its time', [[0, silent(1)], [LOST_MS, silent(1)]], [1]],
  ['one word begins the count anew', [[0, silent(1)], [9_000, silent()], [9_000, silent(1)], [9_000, silent(1)]], []],
  ['all silent is nobody’s death, and forgets the count', [[0, silent(1)], [5_000, silent(0, 1)], [5_000, silent(1)]], []],
  ['a gap in looking begins the count anew', [[0, silent(1)], [LOOKS_APART_MS_MAX + 1, silent(1)]], []],
  ['looks just close enough go on', [[0, silent(1)], [LOOKS_APART_MS_MAX, silent(1)]], [1]],
] // biome-ignore format: a line each
for (const [what, looks, lost] of cases)
  test(`createSilenceWatch: ${what}`, () => assert.deepEqual(lostAfter(looks), lost))

test('createSilenceWatch: what was found long ago is no finding any more', () => {
  let nowMs = 0
  const watch = createSilenceWatch(() => nowMs)
  watch.look('c', silent(1), 0)
  assert.deepEqual([...watch.lost('c')], [1])
  nowMs = LOOKS_APART_MS_MAX + 1
  assert.deepEqual([...watch.lost('c')], [])
})
