import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { hashId } from './hash-id.ts'
import { LogTimes, timeMix } from './log-times.ts'
import { RecentRing } from './recent-ring.ts'

const ARENAS = {
  'plain memory': new Arena(createPlainMemory()),
  WebAssembly: new Arena(new WebAssembly.Memory({ initial: 16, maximum: 65_536, shared: true })),
} as const

/** Ids of which most have one of two hashes, so that lines overflow far into others, beyond what they can count. */
function wordsOf(id: number): Uint32Array {
  const words = Uint32Array.of(id * 2_654_435_761, 0, 0, 0)
  // Takes back what the first word does to the hash.
  words[2] = (words[0]! ^ (words[0]! >>> 16)) >>> 0
  if (id % 3 > 0) words[3] = id % 3 === 1 ? 0x9e3779b1 : id
  return words
}
const CAPACITY_MIN = 8
const anySteps = fc.array(
  fc.record({ from: fc.nat(600), rows: fc.integer({ min: 1, max: 400 }), forgotten: fc.nat(300) }),
  { maxLength: 30 },
)

for (const [kind, arena] of Object.entries(ARENAS))
  test(`RecentRing in ${kind}: an id is new exactly when it is not held, through growth, shrinking and slots used again`, () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const before = arena.usedBytes
        const ring = new RecentRing(7, CAPACITY_MIN, arena)
        const held: number[] = []
        for (const { from, rows, forgotten } of steps) {
          const ids = Array.from({ length: rows }, (_, row) => from + row)
          const words = new Uint32Array(rows * 4)
          for (const [row, id] of ids.entries()) words.set(wordsOf(id), row * 4)
          const hashes = Uint32Array.from(ids, (_, row) => hashId(words, row * 4))
          const verdicts = new Uint8Array(rows)
          const [ours, theirs] = [new LogTimes(), new LogTimes()]
          let grew = false
          for (let row = 0; row < rows; ) {
            if (ring.count === ring.capacity) {
              grew = ring.grow(1_000, rows - row)
              assert.ok(grew)
            }
            const { next, count, sumA, sumB } = ring.admit(words, verdicts, row, timeMix(rows))
            if (count > 0) ours.addSums(count, sumA, sumB, rows)
            row = next
          }
          if (verdicts.includes(0)) theirs.addAll(hashes, verdicts, 0, rows, rows)
          assert.deepEqual(ours.digest, theirs.digest)
          const isNew = ids.map((id) => !held.includes(id))
          assert.deepEqual([...verdicts], isNew.map((one) => (one ? 0 : 1))) // biome-ignore format: one line
          held.push(...ids.filter((_, row) => isNew[row]))
          assert.deepEqual([ring.count, ring.next - ring.first], [held.length, held.length])
          if (grew) {
            ring.trim(CAPACITY_MIN)
            const most = Math.max(CAPACITY_MIN, Math.ceil(held.length * 1.03125), held.length + 16)
            assert.ok(ring.capacity >= held.length && ring.capacity <= most)
          }
          const first = ring.first
          ring.forget(first + forgotten, CAPACITY_MIN)
          held.splice(0, forgotten)
          assert.ok(ring.first === first + forgotten || held.length === 0)
          const copy = new Uint32Array(held.length * 4)
          ring.copyIds(ring.first, ring.next, copy, 0)
          assert.deepEqual([...copy], held.flatMap((id) => [...wordsOf(id)])) // biome-ignore format: one line
          assert.ok(ring.capacity <= Math.max(CAPACITY_MIN, 2 * held.length + 16 + rows))
        }
        const set = ring.toSet()
        for (const [at, id] of held.entries())
          assert.equal(set.find(wordsOf(id), 0, hashId(wordsOf(id), 0)), ring.first + at)
        ring.free()
        assert.equal(arena.usedBytes, before)
      }),
    )
  })

test('RecentRing: at a steady pace it takes less than 20 bytes an id', () => {
  const ring = new RecentRing(0, 64, ARENAS.WebAssembly)
  const words = new Uint32Array(500 * 4)
  for (let block = 0; block < 100; block++) {
    for (let row = 0; row < 500; row++) words[row * 4] = Math.imul(block * 500 + row, 0x9e3779b1)
    ring.forget(block * 500 - 10_000, 64)
    for (let row = 0; row < 500; ) {
      if (ring.count === ring.capacity) ring.grow(60_000, 500 - row)
      row = ring.admit(words, new Uint8Array(500), row, 0).next
    }
  }
  assert.equal(ring.count, 10_500)
  assert.ok(ring.residentBytes / ring.count < 20, `${ring.residentBytes / ring.count} bytes an id`)
})
