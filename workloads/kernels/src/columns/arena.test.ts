import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Arena, PAGE_BYTES } from './arena.ts'
import { createPlainMemory } from './plain-memory.ts'

type Step = Readonly<{ take: number } | { giveBack: number }>
const steps = fc.array(
  fc.oneof(
    fc.integer({ min: 1, max: 300_000 }).map((take): Step => ({ take })),
    fc.nat(1_000).map((giveBack): Step => ({ giveBack })),
  ),
  { maxLength: 120, size: 'max' },
)
const memories = [
  ['plain', () => createPlainMemory(64 << 20)],
  ['wasm', () => new WebAssembly.Memory({ initial: 1, maximum: 1_024, shared: true })],
] as const

for (const [name, create] of memories) {
  test(`Arena over ${name} memory: what is handed out lies apart, inside, and keeps its bytes`, () => {
    const memory = create()
    fc.assert(
      fc.property(steps, (taken) => {
        const arena = new Arena(memory, 64 << 20)
        const held: Array<Readonly<{ pointer: number; bytes: number; mark: number }>> = []
        let freeAt = 0
        const check = ({ pointer, bytes, mark }: (typeof held)[number]) => {
          const view = new Uint8Array(arena.buffer, pointer, bytes)
          assert.deepEqual([view[0], view[bytes - 1]], [mark, mark])
        }
        for (const [at, step] of taken.entries()) {
          if ('take' in step) {
            const pointer = arena.allocate(step.take, at % 2 === 0 ? freeAt : 0)
            assert.ok(pointer > 0 && pointer % 256 === 0)
            const run = { pointer, bytes: step.take, mark: (at % 255) + 1 }
            new Uint8Array(arena.buffer, pointer, step.take).fill(run.mark)
            held.push(run)
          } else if (held.length > 0) {
            const [run] = held.splice(step.giveBack % held.length, 1)
            check(run!)
            freeAt = arena.free(run!.pointer, run!.bytes)
          }
        }
        for (const run of held) check(run)
        for (const { pointer, bytes } of held) arena.free(pointer, bytes)
        assert.equal(arena.usedBytes, 0)
      }),
      { numRuns: 100 },
    )
  })
}

test('Arena: all that was given back is one run again, and serves one allocation as large as everything', () => {
  const arena = new Arena(createPlainMemory(4 << 20), 4 << 20)
  const runs = Array.from({ length: 1_000 }, () => arena.allocate(3_000))
  for (const pointer of runs.toSorted(() => 0.5 - Math.random())) arena.free(pointer, 3_000)
  const bytes = arena.buffer.byteLength - 2 * 256
  const before = arena.buffer.byteLength
  arena.free(arena.allocate(bytes), bytes)
  assert.equal(arena.buffer.byteLength, before)
})

test('Arena: full, it says so, keeps what it handed out, and goes on when room comes back', () => {
  const arena = new Arena(createPlainMemory(32 * PAGE_BYTES), 32 * PAGE_BYTES)
  const pointer = arena.allocate(20 * PAGE_BYTES)
  const used = arena.usedBytes
  assert.throws(() => arena.allocate(20 * PAGE_BYTES), { code: 'TN_MEMORY_FULL' })
  assert.throws(() => arena.ensure(20 * PAGE_BYTES), { code: 'TN_MEMORY_FULL' })
  assert.equal(arena.usedBytes, used)
  arena.free(pointer, 20 * PAGE_BYTES)
  arena.ensure(20 * PAGE_BYTES)
  assert.ok(arena.allocate(20 * PAGE_BYTES) > 0)
})

test('Arena: ensured bytes can be taken in any pieces without growing', () => {
  const arena = new Arena(createPlainMemory(64 << 20), 64 << 20)
  arena.ensure(8 << 20)
  const before = arena.buffer.byteLength
  for (let left = 8 << 10; left > 0; left -= 7) arena.allocate(Math.min(7, left) * 1_024)
  assert.equal(arena.buffer.byteLength, before)
})

test('Arena: what was given back is handed out again where it is preferred, if it is long enough', () => {
  const arena = new Arena(createPlainMemory(4 << 20), 4 << 20)
  const runs = Array.from({ length: 9 }, () => arena.allocate(1_000))
  const freed = [1, 3, 5].map((at) => arena.free(runs[at]!, 1_000))
  assert.deepEqual(freed, [runs[1], runs[3], runs[5]])
  assert.equal(arena.allocate(500, runs[3]), runs[3])
  assert.equal(arena.allocate(1_000, runs[5]), runs[5])
  assert.notEqual(arena.allocate(1_025, runs[1]), runs[1])
  assert.equal(arena.free(runs[0]!, 1_000), runs[0])
  assert.equal(arena.allocate(2_000, runs[0]), runs[0])
})

test('Arena: the first bytes of a view are written where they should be, and nothing beside', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 })
  for (const memory of [
    createPlainMemory(),
    new WebAssembly.Memory({ initial: 1, maximum: 64, shared: true }),
  ]) {
    const arena = new Arena(memory)
    const pointer = arena.allocate(1_000)
    fc.assert(
      fc.property(bytes, fc.nat(40), fc.nat(300), (source, at, count) => {
        const [from, expected] = [Math.min(at, source.length), new Uint8Array(1_000)]
        const written = source.subarray(from, from + count)
        new Uint8Array(arena.buffer, pointer, 1_000).fill(0)
        arena.write(source.subarray(from), written.length, pointer + at)
        expected.set(written, at)
        assert.deepEqual(new Uint8Array(arena.buffer, pointer, 1_000), expected)
      }),
    )
  }
})
