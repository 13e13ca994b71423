import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RowGaps } from './row-gaps.ts'

/** Gaps before rows: mostly none, with stretches and gaps around what a byte tells. */
const anyGaps = fc
  .array(
    fc.tuple(fc.constantFrom(0, 1, 2, 253, 254, 255, 256, 509, 510, 600), fc.constantFrom(1, 2, 253, 254, 255, 256, 70_000)), // biome-ignore format: one line
    { maxLength: 30 },
  )
  .map((pairs) => pairs.flatMap(([following, gap]) => [...new Array<number>(following).fill(0), gap]))

test('RowGaps: the numbers of any first rows are what they were, whatever came later', () => {
  fc.assert(
    fc.property(anyGaps, fc.nat(1_000_000), fc.nat(6_000), (gaps, first, count) => {
      const rowGaps = new RowGaps()
      rowGaps.addFollowing(1)
      const expected = [first]
      for (const gap of gaps) {
        const number = (expected.at(-1) ?? 0) + gap + 1
        if (gap === 0) rowGaps.addFollowing(1)
        else rowGaps.add(gap, number - first)
        expected.push(number)
      }
      const numbers = new Float64Array(Math.min(count, expected.length))
      rowGaps.write(numbers, first)
      assert.deepEqual([...numbers], expected.slice(0, numbers.length))
    }),
  )
})

test('RowGaps: two bytes a gap, and one for 255 rows without any', () => {
  const rowGaps = new RowGaps()
  for (let row = 0; row < 20_000; row++) row % 20 === 19 ? rowGaps.add(1, row) : rowGaps.addFollowing(1)
  assert.ok(rowGaps.residentBytes <= 2 * 1_000 * 1.5, `${rowGaps.residentBytes} bytes for 1,000 gaps`)
  const long = new RowGaps()
  long.addFollowing(65_536)
  assert.ok(long.residentBytes <= 257 * 1.5, `${long.residentBytes} bytes for no gap`)
})
