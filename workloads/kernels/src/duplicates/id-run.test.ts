import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareIds, hashId } from './hash-id.ts'
import { createBlockBuffer, openRun } from './id-run.ts'
import { createMemoryRunFiles } from './memory-run-files.ts'
import { RecentIds } from './recent-ids.ts'
import { RecentSource } from './recent-source.ts'
import { RunSource } from './run-source.ts'
import { RunWriting } from './run-writing.ts'
import { createFaultyRunFiles } from './testing/faulty-run-files.ts'

/** A set of distinct ids from `seed` on; crowded ones all have one and the same hash. */
function setOf(count: number, seed: number, crowded: boolean): RecentIds {
  const set = new RecentIds(1_000, count)
  const words = new Uint32Array(4)
  for (let id = 0; set.count < count; id++) {
    words[0] = seed + id
    // Takes back what the first word does to the hash, so that only the words tell them apart.
    if (crowded) words[1] = 0
    words[2] = crowded ? (words[0]! ^ (words[0]! >>> 16)) >>> 0 : Math.imul(seed + id, 0x9e3779b1)
    set.admit(words, Uint32Array.of(hashId(words, 0)), new Uint8Array(1), 0, 0)
  }
  return set
}
const noSpans = { times: new Float64Array(0), counts: new Uint32Array(0), sums: new Int32Array(0) }
function runOf(set: RecentIds, files = createMemoryRunFiles(), liveFrom = 0) {
  const writing = new RunWriting(files, [new RecentSource(set)], { first: set.first, next: set.next, entriesMax: set.count }) // biome-ignore format: one line
  while (!writing.step(1_000, liveFrom));
  return writing.finish(noSpans)
}

const sizes = fc.constantFrom(1, 2, 203, 204, 205, 408, 1_023, 3_000)

test('IdRun: a set becomes a run in sorted order, and every id of it is found with its number; no other is', () => {
  fc.assert(
    fc.property(sizes, fc.nat(1_000), fc.boolean(), (count, seed, crowded) => {
      const set = setOf(count, seed, crowded)
      const run = runOf(set)
      assert.equal(run.entries, count)
      const buffer = createBlockBuffer(1)
      for (let at = 0; at < count * 4; at += 4) {
        assert.equal(run.find(set.ids, at, hashId(set.ids, at), buffer), set.first + at / 4)
      }
      const strange = Uint32Array.of(seed + 9_000_000, 1, 2, 3)
      assert.equal(run.find(strange, 0, hashId(strange, 0), buffer), -1)
      const source = new RunSource(run)
      const before = { words: new Uint32Array(4), hash: -1 }
      for (; !source.ended; source.advance()) {
        assert.ok(compareIds(before.words, 0, before.hash, source.words, source.at, source.hash) < 0)
        before.words.set(source.words.subarray(source.at, source.at + 4))
        before.hash = source.hash
      }
    }),
    { numRuns: 40 },
  )
})

test('IdRun: merged runs hold what both held, without what is forgotten', () => {
  const files = createMemoryRunFiles()
  const [older, newer] = [runOf(setOf(500, 0, false), files), runOf(setOf(700, 10_000, false), files)]
  const span = { first: 1_000, next: 1_700, entriesMax: 1_200 }
  const writing = new RunWriting(files, [new RunSource(older), new RunSource(newer)], span)
  while (!writing.step(7, 1_100));
  const merged = writing.finish(noSpans)
  assert.equal(merged.entries, 400 + 600)
})

test('IdRun: opened again it answers as before; any flipped bit is found when it is opened or when its block is read', () => {
  let flipped = -1
  const files = createFaultyRunFiles(() => false, (into, _, offset) => {
    if (flipped >= offset && flipped < offset + into.length) into[flipped - offset]! ^= 1
  }) // biome-ignore format: as short as it is
  const set = setOf(450, 5, false)
  const { name, checksum, bytes } = runOf(set, files)
  const buffer = createBlockBuffer(1)
  const everyIdIsFound = () => {
    const { run } = openRun(files.open(name), checksum)
    for (let at = 0; at < set.count * 4; at += 4) {
      assert.equal(run.find(set.ids, at, hashId(set.ids, at), buffer), set.first + at / 4)
    }
  }
  everyIdIsFound()
  for (flipped = 0; flipped < bytes; flipped += 1 + (flipped % 37)) {
    const codes = /TN_ID_RUN_UNREADABLE|TN_SNAPSHOT_CORRUPT/
    assert.throws(everyIdIsFound, (error: { code: string }) => codes.test(error.code), `byte ${flipped}`)
  }
  flipped = -1
  assert.throws(() => openRun(files.open(name), checksum + 1), { code: 'TN_SNAPSHOT_CORRUPT' })
})
