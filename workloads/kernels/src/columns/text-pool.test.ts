import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TextPool, TextPools } from './text-pool.ts'

const SPAN_US = 60_000_000

test('TextPool: as long as a bucket that has a text is held, its code is the same; later both are free', () => {
  const anyRun = fc.record({
    perBucket: fc.integer({ min: 50, max: 3_000 }),
    held: fc.integer({ min: 1, max: 5 }),
    repeat: fc.boolean(),
  })
  fc.assert(
    fc.property(anyRun, ({ perBucket, held, repeat }) => {
      let oldestEndUs = 0
      const pool = new TextPool(new Set([{ oldestEndUs: () => oldestEndUs }]))
      const codesOfBucket: Array<Map<string, number>> = []
      for (let bucket = 0; bucket < 24; bucket++) {
        const endUs = (bucket + 1) * SPAN_US
        oldestEndUs = Math.max(0, endUs - (held - 1) * SPAN_US)
        const codes = new Map<string, number>()
        codesOfBucket.push(codes)
        codes.set('always', pool.intern('always', endUs))
        for (let at = 0; at < perBucket; at++) {
          // Some texts come back one bucket later, and so live longer.
          const text = `${repeat && at % 3 === 0 ? Math.floor(bucket / 2) : bucket}-${at}`
          codes.set(text, pool.intern(text, endUs))
        }
        for (const of of codesOfBucket.slice(-held)) {
          for (const [text, code] of of) assert.equal(pool.texts[code], text)
        }
      }
      assert.equal(codesOfBucket[0]?.get('always'), codesOfBucket.at(-1)?.get('always'))
      const most = 2 * Math.max(4_096, 2 * (held + 1) * (perBucket + 1))
      assert.ok(pool.size <= most, `${pool.size} codes for ${held} buckets of ${perBucket}`)
    }),
    { numRuns: 30 },
  )
})

test('TextPool: codes take one, two and four bytes as texts come', () => {
  const pool = new TextPool(new Set([{ oldestEndUs: () => 0 }]))
  const widths = new Map<number, number>()
  for (let at = 0; at < 65_537; at++) {
    pool.intern(`${at}`, 1)
    if (!widths.has(pool.width)) widths.set(pool.width, at + 1)
  }
  assert.deepEqual([...widths], [[1, 1], [2, 257], [4, 65_537]]) // biome-ignore format: one line
})

test('TextPools: a pool a column, and unused once the last holder left', () => {
  const pools = new TextPools()
  const holder = { oldestEndUs: () => 0 }
  pools.join(holder)
  assert.equal(pools.of('a'), pools.of('a'))
  assert.notEqual(pools.of('a'), pools.of('b'))
  pools.of('a').intern('text', 1)
  assert.ok(pools.residentBytes > 0)
  assert.equal(pools.isUnused, false)
  pools.leave(holder)
  assert.equal(pools.isUnused, true)
})
