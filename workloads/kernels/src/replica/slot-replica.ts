import { hash } from 'node:crypto'
import {
  ID_COLUMN_INDEX,
  type TableDefinition,
  TIME_COLUMN_INDEX,
} from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { TextPools } from '../columns/text-pool.ts'
import type { Cut } from '../plan/row-source.ts'
import { BucketFolder } from '../rollups/bucket-folder.ts'
import type { RollupLimits } from '../rollups/rollup-limits.ts'
import { BucketRing } from './bucket-ring.ts'
import { type DealtRows, dealRows } from './deal-rows.ts'
import { ADMITTED, IdWindow } from './id-window.ts'
import { RowBucket, reserveTexts } from './row-bucket.ts'
import { StagedRows } from './staged-rows.ts'

export type Cursor = Readonly<{ offset: number; checksum: number }>
export type Gap = Readonly<{ firstOffset: number; resumeOffset: number; fromUs: number; toUs: number }>
/** Conservation: logRows = applied + deduplicated + expired + deadLettered. A dead letter counts as one row: nobody can read how many it held. */
export type Counters = {
  logRows: number
  applied: number
  deduplicated: number
  expired: number
  deadLettered: number
}

/** A row's verdict beside those of the id window. */
const EXPIRED = 2
/** Buckets that a retention is cut into, at most; a bucket spans at least a second. */
const BUCKETS_A_RETENTION = 60

/** `levelsLeftOut`: levels that have too many cells, so that rows are read. `outOfMemory`: buckets without room for cells. */
export type RollupFigures = {
  buckets: number
  rows: number
  cells: number
  bytes: number
  levelsLeftOut: number
  outOfMemory: number
}

/** A bucket that memory pressure took: its span and its digest. The log still holds its rows, so the state counts them. */
export type EvictedBucket = Readonly<{
  startUs: number
  endUs: number
  rowCount: number
  digestA: number
  digestB: number
}>

/** Memory that replicas of a thread share: for rows and texts, and for the ids that they remember. */
export type ReplicaMemory = Readonly<{ arena?: Arena; texts?: TextPools; idArena?: Arena }>

type ReplicaParts = ReplicaMemory & Readonly<{ ids?: IdWindow; rollupLimits?: RollupLimits | undefined }>

/** Names a bucket. Its span belongs to it: one opened under another retention may begin at the same time. */
export const bucketKey = (startUs: number, endUs: number): string => `${startUs}-${endUs}`

/** Span of a bucket of event time, µs: a function of the retention alone, so that replicas agree. */
export function bucketSpanUs(retentionUs: number): number {
  return Math.max(1, Math.ceil(retentionUs / BUCKETS_A_RETENTION / 1_000_000)) * 1_000_000
}

/**
 * One replica of one slot: a pure function of its log. `apply` folds a record in; nothing but the record and the table
 * versions decides what its rows become, so replicas that applied the same records are equal, bit for bit.
 *
 * Order of judgement for each record: log time advances; the horizon of retention is taken; ids fall out of the window;
 * then row by row: expired (its whole bucket lies below the horizon; its id is not kept), duplicate, or applied.
 */
export class SlotReplica {
  cursor: Cursor = { offset: -1, checksum: 0 }
  /** First offset that was folded in; comparisons of state hashes need the same. */
  originOffset = -1
  /** Greatest append time, and greatest event time, µs; -1 = none yet. */
  logTimeUs = -1
  eventUsMax = -1
  watermarkUs = 0
  tableVersion = 0
  readonly counters: Counters = { logRows: 0, applied: 0, deduplicated: 0, expired: 0, deadLettered: 0 }
  readonly gaps: Gap[] = []
  readonly ids: IdWindow
  readonly buckets = new BucketRing()
  /** By `bucketKey`. */
  readonly evicted = new Map<string, EvictedBucket>()
  /** Event time below which retention let rows go. Never back: a longer retention does not bring them again. */
  expiredBelowUs = 0
  /** Event time below which memory pressure took rows. */
  evictedBelowUs = 0
  definition: TableDefinition
  readonly arena: Arena

  readonly texts: TextPools
  readonly folder: BucketFolder
  private readonly openCuts = new Set<Readonly<{ oldestEndUs: number }>>()

  /**
   * Rows live in the arena, shared by the replicas of a thread, and their texts in the pools, shared by those of a table
   * there; `ids` is an empty window, on the volume or in memory. A replica that is alone has plain bytes and pools of its
   * own, and its ids in memory.
   */
  constructor(definition: TableDefinition, { arena, texts, ids, rollupLimits }: ReplicaParts = {}) {
    this.definition = definition
    this.arena = arena ?? new Arena(createPlainMemory())
    this.texts = texts ?? new TextPools(this.arena)
    this.ids = ids ?? new IdWindow()
    this.folder = new BucketFolder(rollupLimits)
    this.texts.join(this)
  }

  /**
   * Folds in a block, whole or not at all. `definition` is the version that the block names; the greatest seen so far is
   * in force. Errors: TN_MEMORY_FULL, TN_ID_RUN_UNREADABLE; then nothing changed.
   */
  apply(block: Block, definition: TableDefinition, at: Cursor, appendTimeUs: number): void {
    const { retentionUs } = definition.version > this.definition.version ? definition : this.definition
    const dealt = dealRows(timesOf(block), block.rowCount, bucketSpanUs(retentionUs))
    const staged = new StagedRows(this.arena, block.columns, block.rowCount)
    try {
      reserveTexts(staged, definition, this.texts)
      this.reserve(dealt, definition)
      this.ids.look(wordsOf(block), block.rowCount)
      this.fold(block, dealt, staged, { definition, at, appendTimeUs })
    } finally {
      staged.free()
    }
    this.ids.work(block.rowCount)
    this.foldBuckets(block.rowCount)
  }

  /** Folds quiet buckets into rollups, as much as `rows` applied rows let it, or all of them; answers whether there were any. */
  foldBuckets(rows = Number.POSITIVE_INFINITY): boolean {
    const worked = this.folder.work(this.buckets, this.definition, this.progressUs, rows)
    if (worked) this.rowBytes = -1
    return worked
  }

  /** Nothing here can fail. */
  private fold(
    block: Block,
    dealt: DealtRows,
    staged: StagedRows,
    {
      definition,
      at,
      appendTimeUs,
    }: Readonly<{ definition: TableDefinition; at: Cursor; appendTimeUs: number }>,
  ): void {
    this.advance(at, appendTimeUs)
    if (definition.version > this.definition.version) this.definition = definition
    this.tableVersion = Math.max(this.tableVersion, definition.version)
    const horizonUs = this.horizonUs()
    this.ids.expire(this.logTimeUs, this.definition.dedupWindowUs)
    for (const [index, rows] of this.judge(block.rowCount, dealt, horizonUs).entries()) {
      if (rows.length === 0) continue
      const bucket = this.openBucket(dealt.startsUs[index]!)
      bucket.append(staged, definition, rows, this.counters.logRows)
      bucket.changedAtOffset = at.offset
    }
    this.counters.logRows += block.rowCount
    this.eventUsMax = Math.max(this.eventUsMax, block.timeUsMax)
    this.afterRecord()
  }

  /** Folds in a record that nobody can read. */
  deadLetter(at: Cursor, appendTimeUs: number): void {
    this.advance(at, appendTimeUs)
    this.counters.deadLettered += 1
    this.counters.logRows += 1
    this.afterRecord()
  }

  /**
   * Notes records that retention took before they were read; the next record is at `resumeOffset` or later. `nowUs` only
   * bounds the gap in time for who reads answers, until the next record does; it is no part of the state. A gap is forgotten
   * when all that it may have held has expired.
   */
  loseUpTo(firstOffset: number, resumeOffset: number, nowUs: number): void {
    this.gaps.push({ firstOffset, resumeOffset, fromUs: Math.max(0, this.logTimeUs), toUs: nowUs })
    this.cursor = { offset: resumeOffset - 1, checksum: 0 }
  }

  /** Everything from here on is held. */
  get retainedFromUs(): number {
    return Math.max(this.evictedBelowUs, this.expiredBelowUs)
  }

  /** The rows as they are now, bucket by bucket, frozen; without chunks of which no row is in [startUs, endUs). */
  cut(slot: number, startUs = Number.NEGATIVE_INFINITY, endUs = Number.POSITIVE_INFINITY): Cut {
    const sources = [...this.buckets.values()]
      .filter((bucket) => bucket.startUs < endUs && bucket.endUs > startUs)
      .flatMap((bucket) => bucket.sources(slot, this.definition))
      .filter(({ timeUsMin, timeUsMax }) => timeUsMin < endUs && timeUsMax >= startUs)
    for (const { resident } of sources) resident.chunk.retain()
    const rollups = this.buckets.values().map(({ rollup }) => rollup)
    for (const rollup of rollups) rollup?.retain()
    const open = { oldestEndUs: this.buckets.oldestEndUs }
    this.openCuts.add(open)
    const release = () => {
      for (const { resident } of sources) resident.chunk.release()
      for (const rollup of rollups) rollup?.release()
      this.openCuts.delete(open)
      this.leaveTexts()
    }
    return { sources, release }
  }

  /** No row that is held, or that an open cut sees, lies in a bucket that ends before. */
  oldestEndUs(): number {
    let endUs = this.buckets.oldestEndUs
    for (const { oldestEndUs } of this.openCuts) endUs = Math.min(endUs, oldestEndUs)
    return endUs
  }

  /** Gives back all memory and closes its files: this replica is no longer held. Cuts that read it keep what they see. */
  free(): void {
    this.ids.close()
    this.folder.stop()
    for (const bucket of this.buckets.values()) bucket.free()
    this.buckets.clear()
    this.rowBytes = -1
    this.isFreed = true
    this.leaveTexts()
  }
  private isFreed = false

  private leaveTexts(): void {
    if (this.isFreed && this.openCuts.size === 0) this.texts.leave(this)
  }

  get residentRows(): number {
    let rows = 0
    for (const { rowCount } of this.buckets.values()) rows += rowCount
    return rows
  }

  /** Bytes of rows and remembered ids; texts count apart, since replicas share them. */
  get residentBytes(): number {
    if (this.rowBytes < 0)
      this.rowBytes = this.buckets.values().reduce((sum, { residentBytes }) => sum + residentBytes, 0)
    return this.ids.residentBytes + this.rowBytes
  }

  /** Of the buckets; -1 = to be counted anew: a shard asks ten times a second, of slots that mostly stand still. */
  private rowBytes = -1

  /** What is folded, for who watches; the number of rows does not count those beside a rollup, which came later. */
  get rollups(): Readonly<RollupFigures> {
    const sum = { buckets: 0, rows: 0, cells: 0, bytes: 0, levelsLeftOut: 0 }
    for (const { rollup } of this.buckets.values()) {
      if (rollup === undefined) continue
      sum.buckets += 1
      sum.rows += rollup.rowCount
      sum.cells += rollup.cells
      sum.bytes += rollup.residentBytes
      sum.levelsLeftOut += rollup.levelsLeftOut
    }
    return { ...sum, outOfMemory: this.folder.outOfMemory }
  }

  /** Frees the oldest bucket; false when only the newest is left. Local to a pod: the state hash does not change. */
  evictOldest(): boolean {
    const [oldest] = [...this.buckets.values()].toSorted((a, b) => a.startUs - b.startUs || a.endUs - b.endUs)
    if (oldest === undefined || this.buckets.size < 2) return false
    const { startUs, endUs, evictedRows, digest } = oldest
    this.buckets.delete(oldest)
    oldest.free()
    this.rowBytes = -1
    const rowCount = oldest.rowCount + evictedRows
    this.evicted.set(bucketKey(startUs, endUs), {
      startUs,
      endUs,
      rowCount,
      digestA: digest.a,
      digestB: digest.b,
    })
    this.evictedBelowUs = Math.max(this.evictedBelowUs, endUs)
    return true
  }

  /** Hex SHA-256 over everything the log decided. Cost: O(buckets). */
  stateHash(): string {
    const held = [...this.buckets.values()].map(({ startUs, endUs, rowCount, evictedRows, digest }) => [
      startUs,
      endUs,
      rowCount + evictedRows,
      digest.a,
      digest.b,
    ])
    const gone = [...this.evicted.values()].map(({ startUs, endUs, rowCount, digestA, digestB }) => [
      startUs,
      endUs,
      rowCount,
      digestA,
      digestB,
    ])
    const buckets = [...held, ...gone].toSorted(
      ([aStart = 0, aEnd = 0], [bStart = 0, bEnd = 0]) => aStart - bStart || aEnd - bEnd,
    )
    const ids = [this.ids.firstSequence, this.ids.nextSequence, ...this.ids.digest]
    const { cursor, logTimeUs, eventUsMax, expiredBelowUs, watermarkUs, tableVersion, counters, gaps } = this
    const offsets = gaps.map(({ firstOffset, resumeOffset }) => [firstOffset, resumeOffset])
    const state = {
      cursor,
      logTimeUs,
      eventUsMax,
      expiredBelowUs,
      watermarkUs,
      tableVersion,
      counters,
      offsets,
      ids,
      buckets,
    }
    return hash('sha256', JSON.stringify(state), 'hex')
  }

  /** min(greatest event time, log time): a stamp in the future moves neither the horizon nor the watermark. */
  private get progressUs(): number {
    return Math.min(this.eventUsMax, this.logTimeUs)
  }

  private horizonUs(): number {
    return this.progressUs - this.definition.retentionUs
  }

  private advance(at: Cursor, appendTimeUs: number): void {
    if (this.originOffset < 0) this.originOffset = at.offset
    const gap = this.gaps.at(-1)
    // What was lost was appended before this record.
    if (gap !== undefined && gap.resumeOffset - 1 === this.cursor.offset)
      this.gaps[this.gaps.length - 1] = { ...gap, toUs: Math.min(gap.toUs, appendTimeUs) }
    this.cursor = at
    this.logTimeUs = Math.max(this.logTimeUs, appendTimeUs)
  }

  /** Rows that are neither expired nor duplicates, by bucket, in log order. */
  private judge(
    rowCount: number,
    { startsUs, counts, bucketOf }: DealtRows,
    horizonUs: number,
  ): Uint32Array[] {
    const spanUs = bucketSpanUs(this.definition.retentionUs)
    const isExpired = startsUs.map((startUs) => startUs + spanUs <= horizonUs)
    const verdicts = new Uint8Array(rowCount)
    if (isExpired.includes(true)) {
      for (let row = 0; row < rowCount; row++) if (isExpired[bucketOf[row]!]) verdicts[row] = EXPIRED
    }
    const expired = counts.reduce((sum, count, index) => (isExpired[index] ? sum + count : sum), 0)
    const applied = this.ids.admitAll(verdicts, this.logTimeUs)
    this.counters.expired += expired
    this.counters.applied += applied
    this.counters.deduplicated += rowCount - expired - applied
    const rowsOfBucket = counts.map((count) => new Uint32Array(count))
    const taken = new Uint32Array(counts.length)
    const [only] = rowsOfBucket
    if (rowsOfBucket.length === 1) taken[0] = takeAdmitted(verdicts, only!)
    else {
      for (let row = 0; row < rowCount; row++) {
        const bucket = bucketOf[row]!
        if (verdicts[row] === ADMITTED) rowsOfBucket[bucket]![taken[bucket]!++] = row
      }
    }
    return rowsOfBucket.map((rows, bucket) => rows.subarray(0, taken[bucket]))
  }

  /** The bucket that new rows from `startUs` on go to. One that memory pressure took goes on from its digest. */
  private openBucket(startUs: number): RowBucket {
    const endUs = startUs + bucketSpanUs(this.definition.retentionUs)
    const held = this.buckets.get(startUs, endUs)
    if (held !== undefined) return held
    const key = bucketKey(startUs, endUs)
    const bucket = this.emptyBucket(startUs, endUs)
    const before = this.evicted.get(key)
    if (before !== undefined) {
      bucket.evictedRows = before.rowCount
      bucket.digest = { a: before.digestA, b: before.digestB }
      this.evicted.delete(key)
    }
    this.buckets.add(bucket)
    return bucket
  }

  /** Made ready for as many rows as either of the two before it has: the nearer one is hardly full yet. */
  private emptyBucket(startUs: number, endUs: number): RowBucket {
    const spanUs = endUs - startUs
    const rowsOf = (start: number) => this.buckets.get(start, start + spanUs)?.rowCount ?? 0
    const rowsLike = Math.max(rowsOf(startUs - spanUs), rowsOf(startUs - 2 * spanUs))
    return new RowBucket(startUs, endUs, this.arena, this.texts, rowsLike)
  }

  private afterRecord(): void {
    this.watermarkUs = Math.max(this.watermarkUs, this.progressUs - this.definition.allowedLatenessUs)
    const horizonUs = this.horizonUs()
    const spanUs = bucketSpanUs(this.definition.retentionUs)
    this.expiredBelowUs = Math.max(this.expiredBelowUs, Math.floor(horizonUs / spanUs) * spanUs)
    this.rowBytes = -1
    if (this.buckets.oldestEndUs <= horizonUs) {
      for (const bucket of this.buckets.values().filter(({ endUs }) => endUs <= horizonUs)) {
        bucket.free()
        this.buckets.delete(bucket)
        this.expiredBelowUs = Math.max(this.expiredBelowUs, bucket.endUs)
      }
    }
    for (const [key, { endUs }] of this.evicted) {
      if (endUs > horizonUs) continue
      this.evicted.delete(key)
      this.expiredBelowUs = Math.max(this.expiredBelowUs, endUs)
    }
    while (this.gaps[0] !== undefined && this.isPast(this.gaps[0])) this.gaps.shift()
    this.trimQuiet()
  }

  /** No row that a gap may have taken would still be held. */
  private isPast({ resumeOffset, toUs }: Gap): boolean {
    return resumeOffset <= this.cursor.offset && toUs + this.definition.maxFutureSkewUs < this.expiredBelowUs
  }

  /** Buckets that the watermark has passed hardly grow any more: the room behind their rows goes back, once. */
  private trimQuiet(): void {
    if (this.watermarkUs < this.trimAtUs) return
    for (const bucket of this.buckets.values()) {
      if (bucket.endUs <= this.watermarkUs && bucket.endUs > this.trimmedUpToUs) bucket.trim()
    }
    this.trimmedUpToUs = this.watermarkUs
    const ends = [...this.buckets.values()]
      .map(({ endUs }) => endUs)
      .filter((endUs) => endUs > this.watermarkUs)
    this.trimAtUs = Math.min(this.watermarkUs + bucketSpanUs(this.definition.retentionUs), ...ends)
  }
  private trimmedUpToUs = -1
  private trimAtUs = -1

  /** Makes sure that the arena has what the rows of a block may need, before anything changes. Errors: TN_MEMORY_FULL. */
  private reserve({ startsUs, counts }: DealtRows, definition: TableDefinition): void {
    const { retentionUs } = definition.version > this.definition.version ? definition : this.definition
    const spanUs = bucketSpanUs(retentionUs)
    let bytes = 0
    for (const [index, startUs] of startsUs.entries()) {
      const endUs = startUs + spanUs
      const bucket = this.buckets.get(startUs, endUs)
      bytes += (bucket ?? this.emptyBucket(startUs, endUs)).bytesFor(counts[index]!, definition)
    }
    this.arena.ensure(bytes)
  }
}

/** Writes which rows are admitted, in their order; answers how many. Nothing is decided by a branch: duplicates come at random. */
function takeAdmitted(verdicts: Uint8Array, rows: Uint32Array): number {
  let taken = 0
  for (let row = 0; row < verdicts.length; row++) {
    rows[taken] = row
    taken += verdicts[row] === ADMITTED ? 1 : 0
  }
  return taken
}

function timesOf(block: Block): Float64Array {
  const times = block.columns[TIME_COLUMN_INDEX]
  if (times?.type !== 'timestamp') throw new TypeError('a block without time')
  return times.values
}

/** The ids as words, four a row: in the block they stand wherever its bytes began. */
function wordsOf(block: Block): Uint32Array {
  const ids = block.columns[ID_COLUMN_INDEX]
  if (ids?.type !== 'id128') throw new TypeError('a block without id')
  const { buffer, byteOffset } = ids.values
  if (byteOffset % 4 === 0) return new Uint32Array(buffer, byteOffset, block.rowCount * 4)
  return new Uint32Array(Uint8Array.from(ids.values).buffer, 0, block.rowCount * 4)
}
