import assert from 'node:assert/strict'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { createFilterRows, type FilterRows } from '../duplicates/cuckoo-filter.ts'
import { fingerprintId, hashId } from '../duplicates/hash-id.ts'
import { type BlockBuffer, createBlockBuffer, type IdRun, openRun } from '../duplicates/id-run.ts'
import { LogTimes, timeMix } from '../duplicates/log-times.ts'
import { createMemoryRunFiles } from '../duplicates/memory-run-files.ts'
import { RECENT_IDS_MOST, RecentIds } from '../duplicates/recent-ids.ts'
import { RecentRing, RING_IDS_MOST, ringBytesFor } from '../duplicates/recent-ring.ts'
import { RecentSource } from '../duplicates/recent-source.ts'
import type { RunFiles } from '../duplicates/run-files.ts'
import { RunSource } from '../duplicates/run-source.ts'
import { RunWriting } from '../duplicates/run-writing.ts'

/** Verdicts of `admitAll`; a caller may have others. */
export const ADMITTED = 0
export const DUPLICATE = 1

const CAPACITY_MIN = 64
const OLDER_ROWS_MIN = 16
/** Entries between two looks at whether a run is complete. */
const STEP_ENTRIES = 4_096

/** Where ids lie is no part of the state: any limits give the same judgements, digests and sequence numbers. */
export type IdLimits = Readonly<{
  /** A set of recent ids becomes a run once it holds a quarter of the window, within these two; a window of which that is less needs none. */
  recentIdsMin: number
  recentIdsMax: number
  /** More runs than these are merged, the two neighbours with the fewest ids first. */
  runsMax: number
  /** Ids that are written or merged for each row that comes, while there is such work: nobody waits for a whole run. */
  workARow: number
}>
const LIMITS: IdLimits = { recentIdsMin: 16_384, recentIdsMax: RECENT_IDS_MOST, runsMax: 6, workARow: 4 }
/** Part of the window that recent ids take where there are runs, in memory at 22 bytes each; the others cost 2.1. */
const RECENT_PART = 1 / 4
/** A set becomes a ring again once its ids fill so much of one: room for more has to be left. */
const RING_AGAIN_PART = 3 / 4

/** What happened in this window's life; no part of the state. */
export type IdCounters = {
  recentDuplicates: number
  runDuplicates: number
  /** Looks at a run because its filter said maybe, and those that found nothing. */
  maybes: number
  falseMaybes: number
  runsWritten: number
  runsFailed: number
}

/** What is being made of `sources`, neighbours in the sequence, and takes their place. */
type Job = Readonly<{ writing: RunWriting; recent: RecentIds | undefined; merged: readonly IdRun[] }>

/**
 * Ids remembered for a span of log time, exactly. Each new id gets the next sequence number, and log time never goes back, so
 * an id is remembered while its number is at least `firstSequence`: that is all that has to be known of it, wherever it lies.
 *
 *   runs (sorted, on the volume; a filter each in memory)  |  frozen (being written)  |  recent (in memory)
 *   oldest ids ------------------------------------------------------------------------------> newest ids
 *
 * A window that needs no runs is a ring in memory, which is as large as what is remembered.
 * A filter that says no is right, and its maybe costs a look at the run; all 128 bits are compared before a row is dropped.
 * Use: `look` at a block's ids, `expire`, `admitAll`, `work`. Only `look` reads the volume, and it changes nothing.
 * Cost: O(1) expected an id and run. Memory: a little less than 20 bytes an id in a ring; else 22 bytes for a quarter of the window
 * and 2.1 for the others; and 20 for each log time. Less than 64 ids take 64 places. Without a volume the runs lie in memory, 20
 * bytes an id more. Errors: `look` throws TN_ID_RUN_UNREADABLE, and TN_MEMORY_FULL where the arena has no room for what may be
 * remembered. A run that cannot be written stays in memory, counted, and is tried again.
 */
export class IdWindow {
  readonly counters: IdCounters = { recentDuplicates: 0, runDuplicates: 0, maybes: 0, falseMaybes: 0, runsWritten: 0, runsFailed: 0 } // biome-ignore format: one line
  /** Why the last run was not written; undefined once one was. */
  writeError: unknown
  private readonly files: RunFiles
  private readonly limits: IdLimits
  private readonly arena: Arena
  private readonly times = new LogTimes()
  private readonly capacityMin: number
  /** Sequence numbers of what is remembered: [head, tail). */
  private head = 0
  private tail = 0
  /** In the order of their sequence numbers, which follow one another without a hole. */
  private runs: IdRun[] = []
  private frozen: RecentIds[] = []
  private recent: RecentRing | RecentIds
  private job: Job | undefined
  private retryAt = 0
  private mergeFailed = false
  private isClosed = false
  /** Of the rows that `look` was last told of; what `older` finds them by is there only where there are runs. */
  private rows = new LookedRows(NO_WORDS)
  private older: Older | undefined
  private looked = false
  /** Kept only so that the engine cannot drop the loads of `touch`. */
  touched = 0

  /** A window that is alone has runs in memory, and an arena of its own, where a ring lies. */
  constructor(
    files: RunFiles = createMemoryRunFiles(),
    limits: Partial<IdLimits> = {},
    arena: Arena = new Arena(createPlainMemory()),
  ) {
    this.files = files
    this.arena = arena
    this.limits = { ...LIMITS, ...limits }
    assert(this.limits.recentIdsMax <= RECENT_IDS_MOST, 'positions of recent ids have 24 bits')
    this.capacityMin = Math.min(CAPACITY_MIN, this.limits.recentIdsMin)
    this.recent = new RecentRing(0, this.capacityMin, arena)
    assert(this.limits.recentIdsMin >= 1 && this.limits.runsMax >= 1, 'a set holds an id, a merge needs two')
  }

  get size(): number {
    return this.tail - this.head
  }
  get firstSequence(): number {
    return this.head
  }
  get nextSequence(): number {
    return this.tail
  }
  /** Ids from here on lie in memory, those before in runs. */
  get firstInMemory(): number {
    return Math.max(this.head, this.frozen[0]?.first ?? this.recent.first)
  }
  get sizeInRuns(): number {
    return this.firstInMemory - this.head
  }
  /** Digest of the remembered ids with their times; depends on what is held, not on how it came to be held. */
  get digest(): readonly [number, number] {
    return this.times.digest
  }
  /** The runs as a manifest names them. */
  get runEntries(): ReadonlyArray<Readonly<{ file: string; checksum: number; bytes: number }>> {
    return this.runs.map(({ name, checksum, bytes }) => ({ file: name, checksum, bytes }))
  }
  get runCount(): number {
    return this.runs.length
  }
  get runBytes(): number {
    return this.runs.reduce((sum, { bytes }) => sum + bytes, 0)
  }
  get residentBytes(): number {
    let bytes = this.times.residentBytes
    if (this.older !== undefined)
      bytes += OLDER_BYTES_A_ROW * this.older.sequences.length + this.older.block.bytes.byteLength
    bytes += this.recent.residentBytes
    for (const held of this.frozen) bytes += held.residentBytes
    for (const held of this.runs) bytes += held.residentBytes
    return bytes + (this.job?.writing.residentBytes ?? 0) + this.files.residentBytes()
  }

  /**
   * Looks the ids of `rowCount` rows up in the runs, four words each from the start of `words`, before anything is decided: a
   * disk that fails leaves the window as it was. `words` must stay as they are until `admitAll`.
   */
  look(words: Uint32Array, rowCount: number): void {
    assert(words.length >= rowCount * 4, 'words shorter than rowCount')
    this.rows = new LookedRows(words.subarray(0, rowCount * 4))
    this.looked = this.runs.length > 0
    if (!this.looked) this.older = undefined
    const held = this.recent instanceof RecentRing ? this.recent.count : this.liveInRecent()
    this.arena.ensure(ringBytesFor(Math.min(RING_IDS_MOST, held + rowCount), rowCount))
    if (this.recent instanceof RecentRing) return
    this.touched = this.recent.touch(this.rows.hashes, rowCount)
    if (!this.looked) return
    if (this.older === undefined || this.older.sequences.length < rowCount)
      this.older = createOlder(Math.max(OLDER_ROWS_MIN, rowCount))
    this.lookInRuns(this.older, rowCount)
  }

  /** Forgets ids whose first copy came `windowUs` or more before `logTimeUs`. */
  expire(logTimeUs: number, windowUs: number): void {
    const forgotten = this.times.expire(logTimeUs, windowUs)
    if (forgotten === 0) return
    this.head += forgotten
    while (this.runs[0] !== undefined && this.runs[0].next <= this.head) this.dropRun(this.runs[0])
    while (this.frozen[0] !== undefined && this.frozen[0].next <= this.head) this.dropFrozen(this.frozen[0])
    if (this.recent instanceof RecentRing) this.recent.forget(this.head, this.capacityMin)
    else this.shrinkSet(this.recent)
  }

  /** The ring again once there are no runs any more, or a smaller set where this one is hardly used. */
  private shrinkSet(set: RecentIds): void {
    const live = this.liveInRecent()
    if (this.runs.length + this.frozen.length === 0 && live <= this.ringMax() * RING_AGAIN_PART) {
      const ring = new RecentRing(this.tail - live, Math.max(this.capacityMin, live), this.arena)
      const words = set.ids.subarray((set.count - live) * 4, set.count * 4)
      ring.admit(words, new Uint8Array(live), 0, 0)
      this.recent = ring
    } else if (live * 4 <= set.capacity && set.capacity > 2 * this.recentMax())
      this.resizeSet(set, Math.max(this.capacityMin, live * 2))
  }

  /**
   * Judges the rows that were looked at, in their order, but for those whose verdict is another one already: an id that is
   * new is ADMITTED and remembered, any other a DUPLICATE. Answers how many were admitted.
   */
  admitAll(verdicts: Uint8Array, logTimeUs: number): number {
    const { rows, tail } = this
    const { capacity } = this.recent
    let open = this.judgeElsewhere(verdicts, 0)
    for (let row = 0; row < verdicts.length; ) {
      const isFull = this.recent.count === this.recent.capacity
      if (isFull && this.makeRoom(verdicts.length - row)) this.judgeElsewhere(verdicts, row)
      row = this.admit(rows, verdicts, row, logTimeUs)
    }
    if (this.recent instanceof RecentRing && this.recent.capacity > capacity)
      this.recent.trim(this.capacityMin)
    open -= this.tail - tail
    this.counters.recentDuplicates += open
    this.rows = new LookedRows(NO_WORDS)
    return this.tail - tail
  }

  /** Judges rows from `from` on, as far as the recent ids have room; answers the first one that was not judged. */
  private admit(rows: LookedRows, verdicts: Uint8Array, from: number, timeUs: number): number {
    const { recent, head, times } = this
    if (recent instanceof RecentRing) {
      const { next, count, sumA, sumB } = recent.admit(rows.words, verdicts, from, timeMix(timeUs))
      if (count > 0) times.addSums(count, sumA, sumB, timeUs)
      this.tail += count
      return next
    }
    const { count } = recent
    const next = recent.admit(rows.words, rows.hashes, verdicts, from, head)
    if (recent.count > count) times.addAll(rows.hashes, verdicts, from, next, timeUs)
    this.tail += recent.count - count
    return next
  }

  /** Marks duplicates of ids that lie in no set that takes more; answers how many rows are open, from `from` on. */
  private judgeElsewhere(verdicts: Uint8Array, from: number): number {
    const { rows, head } = this
    const older = this.looked ? this.older!.sequences : undefined
    let open = 0
    for (let row = from; row < verdicts.length; row++) {
      if (verdicts[row] !== ADMITTED) continue
      if (older !== undefined && older[row]! >= head) {
        verdicts[row] = DUPLICATE
        this.counters.runDuplicates += 1
        continue
      }
      open += 1
      if (this.frozen.length > 0 && this.findFrozen(row * 4, rows.hashes[row]!) >= head)
        verdicts[row] = DUPLICATE
    }
    return open
  }

  /** Sequence number of the newest copy among the sets that are being written; -1 = none. */
  private findFrozen(at: number, hash: number): number {
    let sequence = -1
    for (let set = this.frozen.length - 1; set >= 0 && sequence < 0; set--)
      sequence = this.frozen[set]!.find(this.rows.words, at, hash)
    return sequence
  }

  /** `look` and `admitAll` for one id, which `words` holds from `at` on: true when it is new. */
  add(words: Uint32Array, at: number, logTimeUs: number): boolean {
    this.look(words.subarray(at, at + 4), 1)
    return this.admitAll(new Uint8Array(1), logTimeUs) === 1
  }

  /** Writes and merges runs, as much as is due for `rowCount` rows. Never throws for the disk: see `writeError`. */
  work(rowCount: number): void {
    const behind = Math.max(0, this.frozen.length - 1) + Math.max(0, this.runs.length - this.limits.runsMax)
    let left = this.isClosed ? 0 : rowCount * this.limits.workARow * (1 + behind)
    try {
      while (left > 0 && this.tail >= this.retryAt) {
        this.job ??= this.plan()
        if (this.job === undefined) return
        const share = Math.min(left, STEP_ENTRIES)
        left -= share
        if (this.job.writing.step(share, this.head)) this.complete(this.job)
      }
    } catch (error) {
      this.mergeFailed = this.job?.recent === undefined
      this.abandon()
      this.counters.runsFailed += 1
      this.writeError = error
      this.retryAt = this.tail + this.limits.recentIdsMin
    }
  }

  /** Ids [from, to) by sequence number, all of them in memory, and their times, run-length; for snapshots. */
  slice(from: number, to: number): Readonly<{ ids: Uint32Array; times: Float64Array; counts: Uint32Array }> {
    assert(from >= this.firstInMemory && to <= this.tail, 'ids of runs stay in their runs')
    const ids = new Uint32Array((to - from) * 4)
    for (const set of [...this.frozen, this.recent]) {
      const [begin, end] = [Math.max(from, set.first), Math.min(to, set.next)]
      if (begin >= end) continue
      set.copyIds(begin, end, ids, (begin - from) * 4)
    }
    const { times, counts } = this.times.slice(from - this.head, to - this.head, true)
    return { ids, times, counts }
  }

  /** On an empty window: the sequence number that it begins at, which is part of the state also when nothing is held. */
  restoreAt(first: number): void {
    assert(this.tail === 0 && this.runs.length === 0, 'a window is restored once')
    this.head = first
    this.tail = first
    this.replaceRecent(new RecentRing(first, this.capacityMin, this.arena))
  }

  /** Takes over the next run. Errors: TN_SNAPSHOT_CORRUPT when it is not the one that was written; the disk's. */
  restoreRun(file: string, checksum: number): void {
    const reader = this.files.open(file)
    try {
      const { run, spans } = openRun(reader, checksum)
      const held = spans.counts.reduce((sum, count) => sum + count, 0)
      const skip = this.tail - (run.next - held)
      const follows = this.runs.length === 0 ? run.first <= this.tail : run.first === this.tail
      if (!follows || skip < 0 || skip > held)
        throw new TrueNowError('TN_SNAPSHOT_CORRUPT', `Not a run to go on with: ${file} does not follow.`)
      const restored = this.times.restore(spans, skip)
      assert(restored === held - skip, 'the window begins where a log time does')
      this.runs.push(run)
      this.tail = run.next
      this.replaceRecent(new RecentIds(this.tail, this.capacityMin))
    } catch (error) {
      reader.close()
      throw error
    }
  }

  /** Makes room at once for `count` ids in memory that `restore` will bring: growing by steps would hash them twice. */
  reserve(count: number): void {
    assert(this.recent.count === 0, 'room is made before the ids come')
    const capacity = Math.min(Math.max(count, this.capacityMin), this.limits.recentIdsMax)
    const isSmall = this.runs.length === 0 && capacity <= this.ringMax()
    this.replaceRecent(
      isSmall ? new RecentRing(this.tail, capacity, this.arena) : new RecentIds(this.tail, capacity),
    )
  }

  /** Takes over what `slice` gave, from `nextSequence` on. */
  restore(ids: Uint32Array, times: Float64Array, counts: Uint32Array): void {
    let at = 0
    for (let span = 0; span < times.length; span++) {
      const count = counts[span]!
      const [rows, verdicts] = [new LookedRows(ids.subarray(at * 4, (at + count) * 4)), new Uint8Array(count)]
      for (let row = 0; row < count; ) {
        if (this.recent.count === this.recent.capacity) this.makeRoom(count - row)
        row = this.admit(rows, verdicts, row, times[span]!)
      }
      at += count
    }
  }

  /** Lets go of the files, which stay on the volume, and of the ring. From here on nothing is looked up in runs or written to them. */
  close(): void {
    this.isClosed = true
    this.abandon()
    for (const { reader } of this.runs) reader.close()
    this.replaceRecent(new RecentIds(this.tail, this.capacityMin))
  }

  private replaceRecent(recent: RecentRing | RecentIds): void {
    if (this.recent instanceof RecentRing) this.recent.free()
    this.recent = recent
  }

  private recentMax(): number {
    const { recentIdsMin, recentIdsMax } = this.limits
    const most = this.needsRuns ? Math.floor(this.size * RECENT_PART) : recentIdsMin / RECENT_PART
    return Math.min(recentIdsMax, most)
  }

  private get needsRuns(): boolean {
    return this.size * RECENT_PART >= this.limits.recentIdsMin
  }

  private liveInRecent(): number {
    return this.tail - Math.max(this.head, this.recent.first)
  }

  private ringMax(): number {
    return Math.min(RING_IDS_MOST, this.recentMax())
  }

  private resizeSet(set: RecentIds, capacity: number): void {
    this.recent = set.copy(Math.max(this.head, set.first), capacity)
  }

  /**
   * For `rows` that are still to be judged: a full ring grows, a full set loses its forgotten ids or grows, or they are frozen and a set
   * is begun: then the answer is true.
   */
  private makeRoom(rows: number): boolean {
    const { recent } = this
    const recentMax = this.recentMax()
    if (recent instanceof RecentRing) {
      if (recent.grow(this.ringMax(), rows)) return false
    } else if (this.liveInRecent() * 2 <= recent.capacity) {
      this.resizeSet(recent, recent.capacity)
      return false
    } else if (recent.capacity * 2 <= recentMax) {
      this.resizeSet(recent, recent.capacity * 2)
      return false
    }
    this.times.cut()
    this.frozen.push(recent instanceof RecentRing ? recent.toSet() : recent)
    this.replaceRecent(new RecentIds(this.tail, recentMax))
    return true
  }

  /** The next run to make: of the two neighbours with the fewest ids where there are too many, or of the oldest frozen set. */
  private plan(): Job | undefined {
    const { runs, head } = this
    const [recent] = this.frozen
    const tooMany = runs.length > this.limits.runsMax
    // A run that cannot be merged must not keep the others from the volume.
    if (recent !== undefined && (!tooMany || this.mergeFailed)) {
      const { first, next } = recent
      const span = { first, next, entriesMax: next - Math.max(first, head) }
      return { writing: new RunWriting(this.files, [new RecentSource(recent)], span), recent, merged: [] }
    }
    if (!tooMany) return undefined
    let at = 0
    const together = (one: number) => runs[one]!.entries + runs[one + 1]!.entries
    for (let one = 1; one + 1 < runs.length; one++) if (together(one) < together(at)) at = one
    const merged = runs.slice(at, at + 2)
    const span = { first: merged[0]!.first, next: merged[1]!.next, entriesMax: together(at) }
    const sources = merged.map((run) => new RunSource(run))
    return { writing: new RunWriting(this.files, sources, span), recent: undefined, merged }
  }

  private complete({ writing, recent, merged }: Job): void {
    const [first, next] = [recent?.first ?? merged[0]!.first, recent?.next ?? merged[1]!.next]
    const from = Math.max(0, first - this.head)
    const run = writing.finish(this.times.slice(from, next - this.head, false))
    this.job = undefined
    if (recent === undefined) this.runs.splice(this.runs.indexOf(merged[0]!), 2, run)
    else {
      this.runs.push(run)
      this.frozen.shift()
    }
    for (const old of merged) this.removeFile(old)
    this.counters.runsWritten += 1
    this.mergeFailed = false
    this.writeError = undefined
  }

  private abandon(): void {
    this.job?.writing.abort()
    this.job = undefined
  }

  private dropRun(run: IdRun): void {
    if (this.job?.merged.includes(run)) this.abandon()
    this.runs.shift()
    this.removeFile(run)
  }

  private dropFrozen(recent: RecentIds): void {
    if (this.job?.recent === recent) this.abandon()
    this.frozen.shift()
  }

  private removeFile({ reader, name }: IdRun): void {
    reader.close()
    this.files.remove(name)
  }

  private lookInRuns({ rows, sequences, block }: Older, rowCount: number): void {
    const { words, hashes } = this.rows
    rows.hashes.set(hashes)
    for (let row = 0; row < rowCount; row++) rows.fingerprints[row] = fingerprintId(words, row * 4)
    sequences.fill(-1, 0, rowCount)
    for (const run of this.runs) {
      const maybes = run.filter.collect(rows, rowCount)
      this.counters.maybes += maybes
      for (let maybe = 0; maybe < maybes; maybe++) {
        const row = rows.candidates[maybe]!
        const sequence = run.find(words, row * 4, hashes[row]!, block)
        if (sequence < 0) this.counters.falseMaybes += 1
        // Runs come oldest first: a copy in a later one is the newer.
        else sequences[row] = sequence
      }
    }
  }
}

const NO_WORDS = new Uint32Array(0)

/** Ids of rows, four words each, and their hashes once somebody asks: a ring does not. */
class LookedRows {
  readonly words: Uint32Array
  private known: Uint32Array | undefined

  constructor(words: Uint32Array) {
    this.words = words
  }

  get hashes(): Uint32Array {
    if (this.known !== undefined) return this.known
    const hashes = new Uint32Array(this.words.length / 4)
    for (let row = 0; row < hashes.length; row++) hashes[row] = hashId(this.words, row * 4)
    this.known = hashes
    return hashes
  }
}

const OLDER_BYTES_A_ROW = 26

/** What a look at the runs needs for each row of a block. `sequences`: of the row's id in the runs; -1 = in none. */
type Older = Readonly<{ rows: FilterRows; sequences: Float64Array; block: BlockBuffer }>
const createOlder = (rows: number): Older => ({
  rows: createFilterRows(rows),
  sequences: new Float64Array(rows),
  block: createBlockBuffer(1),
})
