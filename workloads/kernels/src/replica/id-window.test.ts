import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMemoryRunFiles } from '../duplicates/memory-run-files.ts'
import type { RunFiles } from '../duplicates/run-files.ts'
import { createFaultyRunFiles } from '../duplicates/testing/faulty-run-files.ts'
import { ADMITTED, type IdLimits, IdWindow } from './id-window.ts'

/** Ids that differ in one word only. */
const wordsOf = (id: number): Uint32Array => {
  const words = new Uint32Array(4)
  words[id % 4] = 1 + Math.floor(id / 4)
  return words
}
const blockOf = (ids: readonly number[]): Uint32Array => {
  const words = new Uint32Array(ids.length * 4)
  for (const [row, id] of ids.entries()) words.set(wordsOf(id), row * 4)
  return words
}

type Step = Readonly<{ id: number; rows: number; advanceUs: number; windowUs: number; again: boolean }>
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    id: fc.nat(120),
    rows: fc.constantFrom(1, 1, 1, 2, 60),
    advanceUs: fc.constantFrom(0, 0, 1, 5, 40, 1_000),
    windowUs: fc.constantFrom(0, 1, 10, 50, 50, 200),
    again: fc.boolean(),
  }),
  { maxLength: 150, size: 'max' },
)
/** From everything in memory to a run for every few ids, written at any pace. */
const anyLimits: fc.Arbitrary<Partial<IdLimits>> = fc.record({
  recentIdsMin: fc.constantFrom(1, 2, 7, 40, 65_536),
  recentIdsMax: fc.constantFrom(5, 50, 1_000),
  runsMax: fc.constantFrom(1, 2, 8),
  workARow: fc.constantFrom(0, 1, 4, 100),
})

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

/** One record: its ids judged as SlotReplica does. */
function take(window: IdWindow, ids: readonly number[], logTimeUs: number, windowUs: number): boolean[] {
  window.look(blockOf(ids), ids.length)
  window.expire(logTimeUs, windowUs)
  const verdicts = new Uint8Array(ids.length)
  const admitted = window.admitAll(verdicts, logTimeUs)
  window.work(ids.length)
  const isNew = ids.map((_, row) => verdicts[row] === ADMITTED)
  assert.equal(admitted, isNew.filter(Boolean).length)
  return isNew
}

type Exchange = (window: IdWindow, step: number) => IdWindow
/** Runs steps over the window and the map side by side; the window may be exchanged between steps. */
function run(all: readonly Step[], first: IdWindow, exchange: Exchange = (window) => window) {
  let window = first
  const model = naive()
  let logTimeUs = 0
  const states: unknown[] = []
  for (const [index, { id, rows, advanceUs, windowUs, again }] of all.entries()) {
    logTimeUs += advanceUs
    model.expire(logTimeUs, windowUs)
    const ids = Array.from({ length: rows }, (_, more) => id + more)
    if (again) ids.push(id)
    const admitted = take(window, ids, logTimeUs, windowUs)
    assert.deepEqual(admitted, ids.map((one) => model.add(one, logTimeUs))) // biome-ignore format: one line
    assert.equal(window.size, model.firstSeenUs.size)
    states.push(stateOf(window))
    window = exchange(window, index)
  }
  return { window, states }
}
const stateOf = ({ digest, firstSequence, nextSequence }: IdWindow) => [...digest, firstSequence, nextSequence] // biome-ignore format: one line

/** As a restart does it: runs stay where they are, the ids in memory go through a slice. */
function restored(window: IdWindow, files: RunFiles, limits: Partial<IdLimits>): IdWindow {
  const { firstSequence, firstInMemory, nextSequence, runEntries } = window
  const { ids, times, counts } = window.slice(firstInMemory, nextSequence)
  const copy = new IdWindow(files, limits)
  copy.restoreAt(firstSequence)
  for (const { file, checksum } of runEntries) copy.restoreRun(file, checksum)
  copy.restore(ids, times, counts)
  return copy
}

test('IdWindow: an id is new exactly when a map of first copies says so, through growth, expiry and shrinking', () => {
  fc.assert(fc.property(steps, (all) => void run(all, new IdWindow())))
})

test('IdWindow: where ids lie, in memory or in runs written at any pace and merged, changes no judgement and no digest', () => {
  let runs = 0
  fc.assert(
    fc.property(steps, anyLimits, (all, limits) => {
      const inRuns = run(all, new IdWindow(createMemoryRunFiles(), limits))
      assert.deepEqual(inRuns.states, run(all, new IdWindow()).states)
      runs += inRuns.window.counters.runsWritten
    }),
    { numRuns: 200 },
  )
  assert.ok(runs > 500, `only ${runs} runs`)
})

test('IdWindow: taken out and put back at any step it goes on as if nothing had happened', () => {
  fc.assert(
    fc.property(steps, anyLimits, fc.nat(150), (all, limits, at) => {
      const through = run(all, new IdWindow()).states
      const files = createMemoryRunFiles()
      const again = (window: IdWindow) => restored(window, files, limits)
      const once = run(all, new IdWindow(files, limits), (window, step) => step === at ? again(window) : window) // biome-ignore format: one line
      const always = run(all, new IdWindow(files, limits), again)
      assert.deepEqual(once.states, through)
      assert.deepEqual(always.states, through)
    }),
  )
})

test('IdWindow: a volume that fails while runs are written keeps their ids in memory and loses nothing', () => {
  let [failed, written] = [0, 0]
  fc.assert(
    fc.property(steps, anyLimits, fc.infiniteStream(fc.nat(9)), (all, limits, chances) => {
      const files = createFaultyRunFiles((operation) => operation !== 'read' && chances.next().value < 2)
      const { window, states } = run(all, new IdWindow(files, limits))
      assert.deepEqual(states, run(all, new IdWindow()).states)
      failed += window.counters.runsFailed
      written += window.counters.runsWritten
    }),
    { numRuns: 200 },
  )
  assert.ok(failed > 100 && written > 100, `${failed} failed, ${written} written`)
})

test('IdWindow: while the last run could not be written it says why, and stops saying so once one is', () => {
  let full = true
  const files = createFaultyRunFiles((operation) => full && operation === 'append')
  const window = new IdWindow(files, { recentIdsMin: 4, recentIdsMax: 4, workARow: 100 })
  for (let id = 0; id < 20; id++) take(window, [id], id, 1_000)
  assert.match(String(window.writeError), /EIO/)
  assert.ok(window.counters.runsFailed >= 2, 'it is tried again')
  assert.deepEqual([window.firstInMemory, window.runEntries.length], [0, 0])
  full = false
  for (let id = 20; id < 40; id++) take(window, [id], id, 1_000)
  assert.equal(window.writeError, undefined)
  assert.ok(window.firstInMemory >= 20 && window.runEntries.length > 0)
})

test('IdWindow: a run that cannot be read, or is not what was written, changes nothing, and the same block is judged once it can', () => {
  let [broken, flipped] = [false, false]
  const files = createFaultyRunFiles(
    (operation) => broken && operation === 'read',
    (into) => {
      if (flipped) into[7] = (into[7] ?? 0) ^ 1
    },
  )
  const window = new IdWindow(files, { recentIdsMin: 4, recentIdsMax: 4, workARow: 100 })
  const plain = new IdWindow()
  for (let id = 0; id < 40; id++) for (const one of [window, plain]) take(one, [id], id, 1_000)
  const ids = [100, 3, 101, 9]
  const before = stateOf(window)
  for (const fault of ['broken', 'flipped']) {
    broken = fault === 'broken'
    flipped = fault === 'flipped'
    assert.throws(() => window.look(blockOf(ids), ids.length), { code: 'TN_ID_RUN_UNREADABLE' })
    assert.deepEqual(stateOf(window), before)
  }
  flipped = false
  assert.deepEqual(take(window, ids, 50, 1_000), [true, false, true, false])
  take(plain, ids, 50, 1_000)
  assert.deepEqual(stateOf(window), stateOf(plain))
  assert.equal(window.counters.runDuplicates, 2)
})

test('IdWindow: a merge of a run that cannot be read leaves the runs as they were', () => {
  let broken = false
  const files = createFaultyRunFiles((operation) => broken && operation === 'read')
  const window = new IdWindow(files, { recentIdsMin: 4, recentIdsMax: 4, runsMax: 2, workARow: 0 })
  const busy = new IdWindow(files, { recentIdsMin: 4, recentIdsMax: 4, runsMax: 2, workARow: 100 })
  broken = true
  for (let id = 0; id < 40; id++) for (const one of [window, busy]) {
    // New ids only: no filter says maybe, so that only merges read.
    try { take(one, [id * 7_919], id, 1_000) } catch (error) { assert.match(String(error), /cannot be read/) }
  } // biome-ignore format: as short as it is
  assert.ok(busy.counters.runsFailed > 0 && busy.runEntries.length > 2)
  broken = false
  for (let id = 100; id < 120; id++) take(busy, [id * 7_919], id, 1_000)
  assert.ok(busy.runEntries.length <= 3, `${busy.runEntries.length} runs`)
  for (let id = 0; id < 40; id++) assert.deepEqual(take(busy, [id * 7_919], 130, 1_000), [false])
})

test('IdWindow: a run that was replaced, cut off or does not follow is refused', () => {
  const files = createMemoryRunFiles()
  const window = new IdWindow(files, { recentIdsMin: 4, recentIdsMax: 4, workARow: 100 })
  for (let id = 0; id < 40; id++) take(window, [id], id, 1_000)
  const [oldest, second] = window.runEntries
  assert.ok(oldest !== undefined && second !== undefined)
  const refused = (file: string, checksum: number, first: number) => {
    const copy = new IdWindow(files)
    copy.restoreAt(first)
    assert.throws(() => copy.restoreRun(file, checksum), { code: 'TN_SNAPSHOT_CORRUPT' })
    assert.equal(copy.nextSequence, first)
  }
  refused(oldest.file, oldest.checksum + 1, 0)
  refused(second.file, second.checksum, 0)
  refused(oldest.file, oldest.checksum, 1_000)
})

test('IdWindow: runs stay within their limit, and go whole once all their ids are forgotten', () => {
  const files = createMemoryRunFiles()
  const window = new IdWindow(files, { recentIdsMin: 64, recentIdsMax: 64, runsMax: 4 })
  for (let id = 0; id < 20_000; id += 50) {
    const ids = Array.from({ length: 50 }, (_, more) => id + more)
    take(window, ids, id, 10_000)
    assert.ok(window.runEntries.length <= 4 + 1, `${window.runEntries.length} runs`)
  }
  assert.ok(files.residentBytes() < 2 * 10_000 * 24, `${files.residentBytes()} bytes`)
  window.expire(100_000, 10_000)
  assert.deepEqual([window.size, window.runEntries.length, files.residentBytes()], [0, 0, 0])
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
  for (const limits of [{}, { recentIdsMin: 1, recentIdsMax: 1, workARow: 9 }]) {
    const window = new IdWindow(createMemoryRunFiles(), limits)
    for (const id of [1, 2, 3]) take(window, [id], 100, 50)
    assert.deepEqual(take(window, [1], 149, 50), [false])
    assert.deepEqual(take(window, [1], 150, 50), [true])
  }
})

test('IdWindow: a burst gives its memory back once it has left', () => {
  const window = new IdWindow()
  const emptyBytes = window.residentBytes
  for (let id = 0; id < 10_000; id++) window.add(wordsOf(id), 0, id)
  const fullBytes = window.residentBytes
  assert.ok(fullBytes <= 2 * 10_000 * 43 + emptyBytes, `${fullBytes} bytes for 10,000 ids at 10,000 times`)
  window.expire(9_999, 10)
  assert.deepEqual([window.size, window.residentBytes], [10, emptyBytes])
  for (let id = 9_990; id < 10_000; id++) assert.equal(window.add(wordsOf(id), 0, 9_999), false)
})
