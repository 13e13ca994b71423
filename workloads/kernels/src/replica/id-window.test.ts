import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdWindow } from './id-window.ts'

/** Ids that differ in one word only: in a table of a few hundred places many share a home. */
const wordsOf = (id: number): Uint32Array => {
  const words = new Uint32Array(4)
  words[id % 4] = 1 + Math.floor(id / 4)
  return words
}

type Step = Readonly<{ id: number; repeat: number; advanceUs: number; windowUs: number }>
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    id: fc.nat(120),
    repeat: fc.constantFrom(1, 1, 1, 2, 60),
    advanceUs: fc.constantFrom(0, 0, 1, 5, 40, 1_000),
    windowUs: fc.constantFrom(0, 1, 10, 50, 50, 200),
  }),
  { maxLength: 150 },
)

/** The window as a person would write it: each id with the log time of its first copy, in the order they came. */
function naive() {
  const firstSeenUs = new Map<number, number>()
  return {
    firstSeenUs,
    expire(logTimeUs: number, windowUs: number): void {
      for (const [id, seenUs] of firstSeenUs) if (logTimeUs - seenUs >= windowUs) firstSeenUs.delete(id)
    },
    add(id: number, logTimeUs: number): boolean {
      if (firstSeenUs.has(id)) return false
      firstSeenUs.set(id, logTimeUs)
      return true
    },
  }
}

/** Runs steps over the window and the map side by side; the window may be exchanged between steps. */
function run(all: readonly Step[], exchange: (window: IdWindow, step: number) => IdWindow): IdWindow {
  let window = new IdWindow()
  const model = naive()
  let logTimeUs = 0
  for (const [index, { id, repeat, advanceUs, windowUs }] of all.entries()) {
    logTimeUs += advanceUs
    window.expire(logTimeUs, windowUs)
    model.expire(logTimeUs, windowUs)
    for (let more = 0; more < repeat; more++) {
      assert.equal(window.add(wordsOf(id + more), 0, logTimeUs), model.add(id + more, logTimeUs))
    }
    assert.equal(window.size, model.firstSeenUs.size)
    window = exchange(window, index)
  }
  const { ids, times } = window.slice(window.firstSequence, window.nextSequence)
  assert.deepEqual([...times], [...model.firstSeenUs.values()])
  assert.deepEqual(
    [...ids],
    [...model.firstSeenUs.keys()].flatMap((id) => [...wordsOf(id)]),
  )
  return window
}

function restored(window: IdWindow): IdWindow {
  const { firstSequence, nextSequence } = window
  const { ids, times } = window.slice(firstSequence, nextSequence)
  const copy = new IdWindow()
  copy.restore(firstSequence, new Uint32Array(0), new Float64Array(0))
  copy.restore(firstSequence, ids, times)
  return copy
}
const stateOf = ({ digest, firstSequence, nextSequence }: IdWindow) => [
  ...digest,
  firstSequence,
  nextSequence,
]

test('IdWindow: an id is new exactly when a map of first copies says so, through growth, expiry and shrinking', () => {
  fc.assert(fc.property(steps, (all) => void run(all, (window) => window)))
})

test('IdWindow: taken out and put back at any step it goes on as if nothing had happened', () => {
  fc.assert(
    fc.property(steps, fc.nat(150), (all, at) => {
      const through = run(all, (window) => window)
      const once = run(all, (window, step) => (step === at ? restored(window) : window))
      const always = run(all, (window) => restored(window))
      assert.deepEqual(stateOf(once), stateOf(through))
      assert.deepEqual(stateOf(always), stateOf(through))
    }),
  )
})

test('IdWindow: the digest tells apart what is held: another id, another time, one more', () => {
  const of = (ids: ReadonlyArray<readonly [id: number, timeUs: number]>) => {
    const window = new IdWindow()
    for (const [id, timeUs] of ids) window.add(wordsOf(id), 0, timeUs)
    return window.digest.join()
  }
  const different = [of([]), of([[1, 5]]), of([[2, 5]]), of([[1, 6]]), of([[1, 5], [2, 5]]), of([[1, 5], [2, 6]])] // biome-ignore format: one line
  assert.equal(new Set(different).size, different.length)
})

test('IdWindow: an id at the very end of its window is forgotten, one microsecond before it is not', () => {
  const window = new IdWindow()
  window.add(wordsOf(1), 0, 100)
  window.expire(149, 50)
  assert.equal(window.add(wordsOf(1), 0, 149), false)
  window.expire(150, 50)
  assert.equal(window.add(wordsOf(1), 0, 150), true)
})

test('IdWindow: a burst gives its memory back once it has left', () => {
  const window = new IdWindow()
  const emptyBytes = window.residentBytes
  for (let id = 0; id < 10_000; id++) window.add(wordsOf(id), 0, id)
  const fullBytes = window.residentBytes
  assert.ok(fullBytes <= 2 * 10_000 * 32 + emptyBytes, `${fullBytes} bytes for 10,000 ids`)
  window.expire(9_999, 10)
  assert.deepEqual([window.size, window.residentBytes], [10, emptyBytes])
  for (let id = 9_990; id < 10_000; id++) assert.equal(window.add(wordsOf(id), 0, 9_999), false)
})
