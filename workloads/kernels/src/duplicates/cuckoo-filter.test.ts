import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../replica/testing/random-log.ts'
import { CuckooFilter, createFilterRows } from './cuckoo-filter.ts'
import { fingerprintId, hashId } from './hash-id.ts'

const anyIds = fc.array(fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 4, maxLength: 4 }), { maxLength: 400, size: 'max' }) // biome-ignore format: one line
/** Ids that crowd: two values a word, so that many share hash and fingerprint. */
const crowdedIds = fc.array(fc.array(fc.nat(1), { minLength: 4, maxLength: 4 }), {
  maxLength: 400,
  size: 'max',
})

function rowsOf(ids: readonly Uint32Array[]) {
  const rows = createFilterRows(ids.length)
  for (const [row, words] of ids.entries()) {
    rows.hashes[row] = hashId(words, 0)
    rows.fingerprints[row] = fingerprintId(words, 0)
  }
  return rows
}

test('CuckooFilter: what was inserted may be held, whatever the ids, in any order, also when it overflows', () => {
  fc.assert(
    fc.property(fc.oneof(anyIds, crowdedIds), fc.constantFrom(1, 2, 4), (ids, overflow) => {
      const filter = CuckooFilter.forEntries(Math.ceil(ids.length / overflow))
      const all = ids.map((id) => Uint32Array.from(id))
      for (const words of all) filter.insert(hashId(words, 0), fingerprintId(words, 0))
      const hashes = Uint32Array.from(all, (words) => hashId(words, 0))
      const fingerprints = Uint16Array.from(all, (words) => fingerprintId(words, 0))
      for (const row of all.keys()) assert.ok(filter.mayHold(hashes[row]!, fingerprints[row]!))
      const again = new CuckooFilter(filter.cells.slice(), filter.homeless, filter.saturated)
      assert.equal(again.collect(rowsOf(all), all.length), all.length)
    }),
    { numRuns: 200 },
  )
})

test('CuckooFilter: many at a time are judged as one at a time', () => {
  fc.assert(
    fc.property(anyIds, anyIds, (inside, outside) => {
      const filter = CuckooFilter.forEntries(Math.ceil(inside.length / 2))
      for (const id of inside)
        filter.insert(hashId(Uint32Array.from(id), 0), fingerprintId(Uint32Array.from(id), 0))
      const all = [...inside, ...outside].map((id) => Uint32Array.from(id))
      const hashes = Uint32Array.from(all, (words) => hashId(words, 0))
      const fingerprints = Uint16Array.from(all, (words) => fingerprintId(words, 0))
      const rows = rowsOf(all)
      const found = filter.collect(rows, all.length)
      const expected = [...all.keys()].filter((row) => filter.mayHold(hashes[row]!, fingerprints[row]!))
      assert.deepEqual([...rows.candidates.subarray(0, found)], expected)
    }),
  )
})

test('CuckooFilter: full to its load it takes every id in sorted order, at 2.2 bytes each, and errs within its bound', () => {
  const [entries, lookups] = [200_000, 2_000_000]
  const random = seededRandom(7)
  const word = () => Math.floor(random() * 2 ** 32)
  const filter = CuckooFilter.forEntries(entries)
  const hashes = new Uint32Array(entries).map(word).sort()
  for (const hash of hashes) filter.insert(hash, word() >>> 16 || 1)
  assert.deepEqual([filter.homeless.length, filter.saturated], [0, false])
  assert.ok(filter.residentBytes <= 2.2 * entries, `${filter.residentBytes} bytes`)
  let maybes = 0
  for (let one = 0; one < lookups; one++) if (filter.mayHold(word(), word() >>> 16 || 1)) maybes += 1
  // 8 / 65,535 of the lookups are 244; three standard deviations of as many rare events are 47.
  assert.ok(maybes <= 244 + 47, `${maybes} of ${lookups}`)
  assert.ok(maybes >= 100, 'a filter that says no to all would be none')
})
