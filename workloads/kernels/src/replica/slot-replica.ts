import { hash } from 'node:crypto'
import {
  ID_COLUMN_INDEX,
  type TableDefinition,
  TIME_COLUMN_INDEX,
} from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'
import type { RowSource } from '../plan/row-source.ts'
import { IdWindow } from './id-window.ts'
import { RowBucket } from './row-bucket.ts'

export type Cursor = Readonly<{ offset: number; checksum: number }>
export type Gap = Readonly<{ firstOffset: number; resumeOffset: number; fromUs: number; toUs: number }>
/** Conservation: logRows = applied + deduplicated + expired. Records that are dead letters have no rows to count. */
export type Counters = {
  logRows: number
  applied: number
  deduplicated: number
  expired: number
  deadLettered: number
}

/** Buckets that a retention is cut into, at most; a bucket spans at least a second. */
const BUCKETS_A_RETENTION = 60

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
  readonly ids = new IdWindow()
  readonly buckets = new Map<number, RowBucket>()
  /** Digests of buckets that memory pressure took: the log still holds their rows, so the state still counts them. */
  readonly evicted = new Map<number, Readonly<{ rowCount: number; digestA: number; digestB: number }>>()
  /** Event time below which memory pressure took rows. */
  evictedBelowUs = 0
  definition: TableDefinition

  constructor(definition: TableDefinition) {
    this.definition = definition
  }

  /** Folds in a block. `definition` is the version that the block names; the greatest seen so far is in force. */
  apply(block: Block, definition: TableDefinition, at: Cursor, appendTimeUs: number): void {
    this.advance(at, appendTimeUs)
    if (definition.version > this.definition.version) this.definition = definition
    this.tableVersion = Math.max(this.tableVersion, definition.version)
    const horizonUs = this.horizonUs()
    this.ids.expire(this.logTimeUs, this.definition.dedupWindowUs)
    const rowsOfBucket = this.judge(block, horizonUs)
    for (const [startUs, rows] of rowsOfBucket) {
      const bucket = this.buckets.get(startUs) ?? this.openBucket(startUs)
      // Row numbers follow log order: those of one block are told apart by their place in it.
      const numbers = Float64Array.from(rows, (row) => this.counters.logRows + row)
      bucket.append(block, definition, Uint32Array.from(rows), rows.length, numbers)
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
    this.afterRecord()
  }

  /** Notes records that retention took before they were read; the next record is at `resumeOffset` or later. */
  loseUpTo(firstOffset: number, resumeOffset: number, nowUs: number): void {
    this.gaps.push({
      firstOffset,
      resumeOffset,
      fromUs: Math.max(0, this.logTimeUs - this.definition.retentionUs),
      toUs: nowUs,
    })
    this.cursor = { offset: resumeOffset - 1, checksum: 0 }
  }

  /** Everything from here on is held. */
  get retainedFromUs(): number {
    const horizonUs = this.horizonUs()
    return Math.max(this.evictedBelowUs, horizonUs <= 0 ? 0 : this.bucketStart(horizonUs))
  }

  /** The rows as they are now, bucket by bucket, frozen: what a query reads, and nothing that comes later. */
  cut(slot: number): RowSource[] {
    return [...this.buckets.values()]
      .filter(({ rowCount }) => rowCount > 0)
      .map((bucket) => bucket.source(slot, this.definition))
  }

  get residentRows(): number {
    let rows = 0
    for (const { rowCount } of this.buckets.values()) rows += rowCount
    return rows
  }

  get residentBytes(): number {
    let bytes = this.ids.residentBytes
    for (const bucket of this.buckets.values()) bytes += bucket.residentBytes
    return bytes
  }

  /** Frees the oldest bucket; false when only the newest is left. Local to a pod: the state hash does not change. */
  evictOldest(): boolean {
    const [oldest] = [...this.buckets.keys()].toSorted((a, b) => a - b)
    if (oldest === undefined || this.buckets.size < 2) return false
    const { rowCount, evictedRows, digestA, digestB } = this.buckets.get(oldest)!
    this.buckets.delete(oldest)
    this.evicted.set(oldest, { rowCount: rowCount + evictedRows, digestA, digestB })
    this.evictedBelowUs = Math.max(this.evictedBelowUs, oldest + bucketSpanUs(this.definition.retentionUs))
    return true
  }

  /** Hex SHA-256 over everything the log decided. Cost: O(buckets). */
  stateHash(): string {
    const gone = [...this.evicted].map(([startUs, digest]) => ({ startUs, evictedRows: 0, ...digest }))
    const buckets = [...this.buckets.values(), ...gone]
      .map(({ startUs, rowCount, evictedRows, digestA, digestB }) => [
        startUs,
        rowCount + evictedRows,
        digestA,
        digestB,
      ])
      .filter(([, rows]) => rows !== 0)
      .toSorted(([a = 0], [b = 0]) => a - b)
    const ids = [this.ids.firstSequence, this.ids.nextSequence, ...this.ids.digest]
    const { cursor, logTimeUs, eventUsMax, watermarkUs, tableVersion, counters, gaps } = this
    const offsets = gaps.map(({ firstOffset, resumeOffset }) => [firstOffset, resumeOffset])
    const state = {
      cursor,
      logTimeUs,
      eventUsMax,
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

  private bucketStart(timeUs: number): number {
    const spanUs = bucketSpanUs(this.definition.retentionUs)
    return Math.floor(timeUs / spanUs) * spanUs
  }

  private advance(at: Cursor, appendTimeUs: number): void {
    if (this.originOffset < 0) this.originOffset = at.offset
    this.cursor = at
    this.logTimeUs = Math.max(this.logTimeUs, appendTimeUs)
  }

  /** Rows that are neither expired nor duplicates, by the start of their bucket, in log order. */
  private judge(block: Block, horizonUs: number): Map<number, number[]> {
    const times = block.columns[TIME_COLUMN_INDEX]
    const ids = block.columns[ID_COLUMN_INDEX]
    if (times?.type !== 'timestamp' || ids?.type !== 'id128')
      throw new TypeError('a block without id and time')
    const words = new Uint32Array(Uint8Array.from(ids.values.subarray(0, block.rowCount * 16)).buffer)
    const spanUs = bucketSpanUs(this.definition.retentionUs)
    const rowsOfBucket = new Map<number, number[]>()
    for (let row = 0; row < block.rowCount; row++) {
      const startUs = Math.floor(times.values[row]! / spanUs) * spanUs
      if (startUs + spanUs <= horizonUs) {
        this.counters.expired += 1
        continue
      }
      if (!this.ids.add(words, row * 4, this.logTimeUs)) {
        this.counters.deduplicated += 1
        continue
      }
      this.counters.applied += 1
      const rows = rowsOfBucket.get(startUs)
      if (rows === undefined) rowsOfBucket.set(startUs, [row])
      else rows.push(row)
    }
    return rowsOfBucket
  }

  /** Late rows may come for a bucket that memory pressure took: its digest goes on where it stood. */
  private openBucket(startUs: number): RowBucket {
    const bucket = new RowBucket(startUs)
    const before = this.evicted.get(startUs)
    if (before !== undefined) {
      bucket.evictedRows = before.rowCount
      bucket.digestA = before.digestA
      bucket.digestB = before.digestB
      this.evicted.delete(startUs)
    }
    this.buckets.set(startUs, bucket)
    return bucket
  }

  private afterRecord(): void {
    this.watermarkUs = Math.max(this.watermarkUs, this.progressUs - this.definition.allowedLatenessUs)
    const spanUs = bucketSpanUs(this.definition.retentionUs)
    const horizonUs = this.horizonUs()
    for (const startUs of this.buckets.keys()) if (startUs + spanUs <= horizonUs) this.buckets.delete(startUs)
    for (const startUs of this.evicted.keys()) if (startUs + spanUs <= horizonUs) this.evicted.delete(startUs)
  }
}
