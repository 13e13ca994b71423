import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createToldWatermarks } from './told-watermarks.ts'

test('toldWatermarks: whatever comes, what a reader sees never goes back and is never made up', () => {
  const watermark = fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined })
  fc.assert(
    fc.property(fc.array(watermark), (watermarks) => {
      const told = createToldWatermarks()
      let last = -1
      for (const given of watermarks) {
        const seen = told.tell('a', given)
        if (seen === undefined) continue
        assert.equal(seen, given)
        assert.ok(seen >= last)
        last = seen
      }
    }),
  )
})

test('toldWatermarks: a table made anew starts anew', () => {
  const told = createToldWatermarks()
  told.tell('a', 9)
  assert.equal(told.tell('a', 3), undefined)
  told.keepOnly(new Set())
  assert.equal(told.tell('a', 3), 3)
})
