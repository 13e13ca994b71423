import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textsOf, Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import fc from 'fast-check'
import { Arena } from './arena.ts'
import { createPlainMemory } from './plain-memory.ts'
import { type StagedTexts, type TextHolder, TextPool, TextPools } from './text-pool.ts'

const SPAN_US = 60_000_000
/** Both forms of the kernels have to keep a pool alike. */
const ARENAS: ReadonlyArray<readonly [string, () => Arena]> = [
  ['plain memory', () => new Arena(createPlainMemory())],
  [
    'WebAssembly',
    () => new Arena(new WebAssembly.Memory({ initial: 1, maximum: 4_096, shared: true }), 4_096 * 65_536),
  ],
]

/** The texts as the dictionary of a block, a row each, in the arena for as long as `work` is about them. */
function stage<T>(arena: Arena, texts: readonly string[], work: (staged: StagedTexts, rows: number) => T): T {
  const { bytes, ends } = Utf8Dictionary.of(texts)
  const words = texts.length * 4
  const size = bytes.length + words * 5 + 16
  const room = arena.allocate(size)
  const [endsAt, hashes, found, codes, rows, byteAt] = [0, 1, 2, 3, 4, 5].map((at) => room + at * words) as [number, number, number, number, number, number] // biome-ignore format: one line
  new Uint32Array(arena.buffer, endsAt, texts.length).set(ends)
  new Uint32Array(arena.buffer, rows, texts.length).set(texts.map((_, row) => row))
  new Uint8Array(arena.buffer, byteAt, bytes.length).set(bytes)
  try {
    return work({ bytes: byteAt, ends: endsAt, hashes, found, codes, entries: texts.length }, rows)
  } finally {
    arena.free(room, size)
  }
}

/** Codes of texts in a bucket that ends at `endUs`. */
const intern = (arena: Arena, pool: TextPool, texts: readonly string[], endUs: number): number[] =>
  stage(arena, texts, (staged, rows) => {
    pool.reserve(staged)
    pool.find(staged, endUs)
    pool.translate(staged, rows, rows, texts.length, endUs)
    return [...new Uint32Array(arena.buffer, staged.codes, texts.length)]
  })

const anyTexts = fc.array(fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', 'a', 'ä', '\u{1f600}')), { minLength: 1, maxLength: 200 }) // biome-ignore format: one line

for (const [name, createArena] of ARENAS) {
  test(`TextPool over ${name}: equal texts have equal codes, a code gives its text, and no other text has one`, () => {
    const arena = createArena()
    fc.assert(
      fc.property(fc.array(anyTexts, { maxLength: 6 }), anyTexts, (blocks, others) => {
        const pool = new TextPool(arena, new Set([{ oldestEndUs: () => 0 }]))
        const known = new Map<string, number>()
        for (const texts of blocks) {
          const codes = intern(arena, pool, texts, SPAN_US)
          for (const [row, text] of texts.entries()) {
            // What a lone half of a surrogate pair becomes in UTF-8.
            const held = text.toWellFormed()
            assert.equal(codes[row], known.get(held) ?? known.size)
            known.set(held, codes[row]!)
          }
        }
        for (const [text, code] of known) assert.deepEqual([pool.at(code), pool.codeOf(text)], [text, code])
        const codes = Uint32Array.from(known.values()).reverse()
        assert.deepEqual(textsOf(pool.textsOf(codes)), [...known.keys()].reverse())
        assert.deepEqual(textsOf(pool.textsOf(Uint32Array.of(pool.size))), [''])
        const ordered = pool.inTableOrder(codes.filter((code) => code % 2 === 0))
        assert.deepEqual(ordered.toSorted(), codes.filter((code) => code % 2 === 0).toSorted())
        for (const text of others) assert.equal(pool.codeOf(text), known.get(text.toWellFormed()))
        assert.equal(pool.size, known.size)
        pool.free()
        assert.equal(arena.usedBytes, 0)
      }),
    )
  })

  test(`TextPool over ${name}: as long as a bucket that has a text is held, its code is the same; later both are free`, () => {
    const anyRun = fc.record({
      perBucket: fc.integer({ min: 50, max: 3_000 }),
      held: fc.integer({ min: 1, max: 5 }),
      repeat: fc.boolean(),
    })
    fc.assert(
      fc.property(anyRun, ({ perBucket, held, repeat }) => {
        const arena = createArena()
        let oldestEndUs = 0
        const pool = new TextPool(arena, new Set([{ oldestEndUs: () => oldestEndUs }]))
        const codesOfBucket: Array<Map<string, number>> = []
        for (let bucket = 0; bucket < 24; bucket++) {
          const endUs = (bucket + 1) * SPAN_US
          oldestEndUs = Math.max(0, endUs - (held - 1) * SPAN_US)
          // Some texts come back one bucket later, and so live longer.
          const texts = Array.from(
            { length: perBucket },
            (_, at) => `${repeat && at % 3 === 0 ? Math.floor(bucket / 2) : bucket}-${at}`,
          )
          texts.push('always')
          const codes = intern(arena, pool, texts, endUs)
          codesOfBucket.push(new Map(texts.map((text, row) => [text, codes[row]!])))
          for (const of of codesOfBucket.slice(-held)) {
            for (const [text, code] of of) assert.equal(pool.at(code), text)
          }
        }
        // With one bucket held it may be forgotten when the next one begins.
        if (held > 1) assert.equal(codesOfBucket[0]?.get('always'), codesOfBucket.at(-1)?.get('always'))
        const most = 2 * Math.max(4_096, 2 * (held + 1) * (perBucket + 1)) + perBucket + 1
        assert.ok(pool.size <= most, `${pool.size} codes for ${held} buckets of ${perBucket}`)
        pool.free()
        assert.equal(arena.usedBytes, 0)
      }),
      { numRuns: 10 },
    )
  })
}

test('TextPool: codes take one, two and four bytes as texts come', () => {
  const arena = new Arena(createPlainMemory())
  const pool = new TextPool(arena, new Set([{ oldestEndUs: () => 0 }]))
  const texts = (from: number, count: number) => Array.from({ length: count }, (_, at) => `${from + at}`)
  const widths = [[0, 256], [256, 1], [257, 65_279], [65_536, 1]].map(([from = 0, count = 0]) => {
    intern(arena, pool, texts(from, count), 1)
    return [pool.size, pool.width]
  }) // biome-ignore format: one line
  assert.deepEqual(widths, [[256, 1], [257, 2], [65_536, 2], [65_537, 4]]) // biome-ignore format: one line
})

test('TextPool: an arena without room refuses a text, and what is held stays what it was', () => {
  const arena = new Arena(createPlainMemory(16 * 65_536), 16 * 65_536)
  const pool = new TextPool(arena, new Set([{ oldestEndUs: () => 0 }]))
  const long = 'x'.repeat(100_000)
  const held = intern(arena, pool, ['a', 'b', long], SPAN_US)
  const many = Array.from({ length: 20_000 }, (_, at) => `${at}`)
  const longer = ['a', 'b', 'c', 'd', 'e'].map((end) => `${long}${end}`)
  for (const texts of [many, longer])
    stage(arena, texts, (staged) => assert.throws(() => pool.reserve(staged), { code: 'TN_MEMORY_FULL' }))
  assert.deepEqual(held.map((code) => pool.at(code)?.length), [1, 1, 100_000]) // biome-ignore format: one line
  assert.deepEqual(intern(arena, pool, ['b', 'c', 'a', long], SPAN_US), [1, 3, 0, 2])
})

test('TextPool: texts are told apart by their last buckets, however many of those there were since the last sweep', () => {
  const arena = new Arena(createPlainMemory())
  let oldestEndUs = 0
  const pool = new TextPool(arena, new Set([{ oldestEndUs: () => oldestEndUs }]))
  const buckets = 700
  // The text of each bucket, one that is in each, and one that comes once more in a bucket that ended long ago.
  for (let bucket = 1; bucket <= buckets; bucket++)
    intern(arena, pool, [`of bucket ${bucket}`, `${bucket}`, 'always'], bucket * SPAN_US)
  intern(arena, pool, ['1'], 2 * SPAN_US)
  oldestEndUs = (buckets - 1) * SPAN_US
  // More texts than are held: that is when a pool forgets.
  intern(arena, pool, Array.from({ length: 5_000 }, (_, at) => `new ${at}`), buckets * SPAN_US) // biome-ignore format: one line
  const isHeld = (text: string) => pool.codeOf(text) !== undefined
  for (const bucket of [buckets - 1, buckets])
    assert.ok(isHeld(`${bucket}`) && isHeld(`of bucket ${bucket}`), `bucket ${bucket} is held`)
  assert.ok(isHeld('always'))
  for (let bucket = 2; bucket < buckets - 1; bucket++)
    assert.ok(!isHeld(`${bucket}`) && !isHeld(`of bucket ${bucket}`), `bucket ${bucket} is gone`)
  assert.equal(new Set(Array.from({ length: pool.size }, (_, code) => pool.at(code))).size, 5_000 + 6) // biome-ignore format: one line
})

test('TextPools: a pool a column, and nothing held once the last holder left', () => {
  const arena = new Arena(createPlainMemory())
  const pools = new TextPools(arena)
  const holder: TextHolder = { oldestEndUs: () => 0 }
  pools.join(holder)
  assert.equal(pools.of('a'), pools.of('a'))
  assert.notEqual(pools.of('a'), pools.of('b'))
  intern(arena, pools.of('a'), ['text'], 1)
  assert.equal(pools.residentBytes > 0, true)
  assert.equal(pools.isUnused, false)
  pools.leave(holder)
  assert.equal(pools.isUnused, true)
  assert.deepEqual([pools.residentBytes, arena.usedBytes], [0, 0])
})
