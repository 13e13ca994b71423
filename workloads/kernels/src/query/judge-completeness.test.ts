import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { judgeCompleteness, type SlotCut } from './judge-completeness.ts'

const definition = { retentionUs: 100, maxFutureSkewUs: 5, allowedLatenessUs: 10 } as TableDefinition
const cut = (more: Partial<SlotCut>): SlotCut => ({
  slot: 0,
  shard: 0,
  incarnation: 1,
  offset: 9,
  checksum: 0,
  watermarkUs: 1_000,
  retainedFromUs: 500,
  gaps: [],
  ...more,
})
const range = { startUs: 500, endUs: 1_000 }
const gap = (fromUs: number, toUs: number) => [{ firstOffset: 1, resumeOffset: 4, fromUs, toUs }]
const nowUs = 5_000

const cases: ReadonlyArray<[name: string, cuts: SlotCut[], missing: number, complete: boolean]> = [
  ['watermark at the end, retained from the start', [cut({})], 0, true],
  ['watermark one microsecond short', [cut({ watermarkUs: 999 })], 0, false],
  ['retained one microsecond late', [cut({ retainedFromUs: 501 })], 0, false],
  ['one slot of two behind', [cut({}), cut({ slot: 1, watermarkUs: 10 })], 0, false],
  ['one slot of two evicted more', [cut({}), cut({ slot: 1, retainedFromUs: 600 })], 0, false],
  ['a slot is missing', [cut({})], 1, false],
  ['every slot is missing', [], 2, false],
  ['a gap inside', [cut({ gaps: gap(600, 700) })], 0, false],
  ['a gap whose latest row may be the first of the range', [cut({ gaps: gap(480, 495) })], 0, false],
  ['a gap before', [cut({ gaps: gap(480, 494) })], 0, true],
  ['a gap whose most expired row may be the last of the range', [cut({ gaps: gap(1_099, 1_200) })], 0, false],
  ['a gap after', [cut({ gaps: gap(1_100, 1_200) })], 0, true],
  ['a gap of unknown time', [cut({ gaps: gap(0, 0) })], 0, false],
]
for (const [name, cuts, missing, complete] of cases) {
  test(`judgeCompleteness: ${name}`, () => {
    const found = judgeCompleteness(range, cuts, missing, definition, nowUs)
    assert.equal(found.complete, complete)
    assert.equal(found.reasons.length === 0, complete)
  })
}

test('judgeCompleteness: the least watermark and the greatest retained_from are told', () => {
  const cuts = [cut({ watermarkUs: 1_200, retainedFromUs: 3 }), cut({ slot: 1, watermarkUs: 1_100 })]
  const found = judgeCompleteness(range, cuts, 0, definition, nowUs)
  assert.deepEqual([found.watermarkUs, found.retainedFromUs], [1_100, 500])
})

test('judgeCompleteness: nobody answered: nothing is claimed', () => {
  const found = judgeCompleteness(range, [], 2, definition, nowUs)
  assert.deepEqual([found.watermarkUs, found.retainedFromUs, found.complete], [null, null, false])
})

test("judgeCompleteness: a watermark above the asker's own clock is held below it", () => {
  const found = judgeCompleteness(range, [cut({ watermarkUs: 2_000 })], 0, definition, 1_009)
  assert.deepEqual([found.watermarkUs, found.complete], [999, false])
})
