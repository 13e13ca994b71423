import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ResidentSource, RollupLevel } from '../plan/row-source.ts'
import { WHOLE_BUCKET } from '../plan/row-source.ts'
import { type CellNeed, coverRange } from './cover-range.ts'

const SECOND_US = 1_000_000
const level = (stepUs: number, rowCount: number, dimensions: readonly string[] = []): RollupLevel => ({
  dimensions,
  metrics: ['revenue'],
  stepUs,
  cells: { rowCount } as ResidentSource,
})
const need = (parts: Partial<CellNeed> = {}): CellNeed => ({
  columns: [],
  metrics: [],
  bucketsUs: [],
  ...parts,
})
/** A bucket of 65 s from second 65 on, its levels of no dimension and of the region. */
const bucket = {
  startUs: 65 * SECOND_US,
  endUs: 130 * SECOND_US,
  levels: [
    level(WHOLE_BUCKET, 1),
    level(10 * SECOND_US, 7),
    level(WHOLE_BUCKET, 8, ['region']),
    level(SECOND_US, 65),
    level(SECOND_US, 520, ['region']),
  ],
}
/** As text: seconds, the step of the cells and how many there are; gaps by a dash. */
function shown(fromUs: number, toUs: number, asked: CellNeed = need()): string[] {
  const { cells, gaps } = coverRange(bucket, asked, { startUs: fromUs, endUs: toUs })
  const seconds = (us: number) => us / SECOND_US
  return [
    ...cells.map(({ level: used, startUs, endUs }) => ({ startUs, endUs, what: `${used.cells.rowCount}` })),
    ...gaps.map((gap) => ({ ...gap, what: '-' })),
  ]
    .toSorted((a, b) => a.startUs - b.startUs)
    .map(({ startUs, endUs, what }) => `${seconds(startUs)}..${seconds(endUs)} ${what}`)
}

const cases: ReadonlyArray<[name: string, fromS: number, toS: number, parts: readonly string[]]> = [
  ['the bucket and more', 0, 1_000, ['65..130 1']],
  ['the bucket', 65, 130, ['65..130 1']],
  ['a second less at its end', 65, 129, ['65..120 7', '120..129 65']],
  ['a microsecond less at its end', 65, 129.999999, ['65..120 7', '120..129 65', '129..129.999999 -']],
  ['a microsecond less at its start', 65.000001, 130, ['65.000001..66 -', '66..70 65', '70..130 7']],
  ['from a second on', 66, 130, ['66..70 65', '70..130 7']],
  ['between two steps', 71, 79, ['71..79 65']],
  ['less than a second', 70.25, 70.75, ['70.25..70.75 -']],
  ['over an edge of a second', 70.5, 71.5, ['70.5..71.5 -']],
  ['nothing of it', 130, 140, []],
  ['an empty range', 80, 80, []],
]
for (const [name, fromS, toS, parts] of cases) {
  test(`coverRange: ${name}`, () => {
    assert.deepEqual(shown(fromS * SECOND_US, toS * SECOND_US), parts)
  })
}

test('coverRange: dimensions, metrics and time buckets decide which levels may answer', () => {
  const whole = (asked: Partial<CellNeed>) => shown(0, 1e9, need(asked))
  assert.deepEqual(whole({ columns: ['region'] }), ['65..130 8'])
  assert.deepEqual(whole({ columns: ['product'] }), ['65..130 -'])
  assert.deepEqual(whole({ metrics: ['revenue'] }), ['65..130 1'])
  assert.deepEqual(whole({ metrics: ['items'] }), ['65..130 -'])
  assert.deepEqual(whole({ bucketsUs: [20 * SECOND_US] }), ['65..130 7'])
  assert.deepEqual(whole({ bucketsUs: [15 * SECOND_US] }), ['65..130 65'])
  assert.deepEqual(whole({ bucketsUs: [1_500_000] }), ['65..130 -'])
  // The whole bucket lies in one of these, and in two of those.
  assert.deepEqual(whole({ bucketsUs: [3_600 * SECOND_US] }), ['65..130 1'])
  assert.deepEqual(whole({ bucketsUs: [100 * SECOND_US] }), ['65..130 7'])
})

test('coverRange: every time of the range is in one part, and cells are whole', () => {
  const us = fc.oneof(
    fc.integer({ min: 60, max: 135 }).map((seconds) => seconds * SECOND_US),
    fc.integer({ min: 60 * SECOND_US, max: 135 * SECOND_US }),
  )
  fc.assert(
    fc.property(us, us, fc.subarray(bucket.levels), (a, b, levels) => {
      const [startUs, endUs] = [Math.min(a, b), Math.max(a, b)]
      const { cells, gaps } = coverRange({ ...bucket, levels }, need(), { startUs, endUs })
      const parts = [...cells, ...gaps].toSorted((one, other) => one.startUs - other.startUs)
      let atUs = Math.max(startUs, bucket.startUs)
      for (const part of parts) {
        assert.equal(part.startUs, atUs)
        assert.ok(part.endUs > part.startUs)
        atUs = part.endUs
      }
      if (parts.length > 0) assert.equal(atUs, Math.min(endUs, bucket.endUs))
      else assert.ok(Math.min(endUs, bucket.endUs) <= Math.max(startUs, bucket.startUs))
      for (const { level: used, startUs: fromUs, endUs: toUs } of cells) {
        const isEdge = (edgeUs: number) =>
          edgeUs === bucket.startUs || edgeUs === bucket.endUs || edgeUs % used.stepUs === 0
        assert.ok(isEdge(fromUs) && isEdge(toUs))
      }
    }),
  )
})
