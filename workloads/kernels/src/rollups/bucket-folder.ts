import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ResidentSource } from '../plan/row-source.ts'
import type { BucketRing } from '../replica/bucket-ring.ts'
import type { RowBucket } from '../replica/row-bucket.ts'
import type { BucketRollup } from './bucket-rollup.ts'
import { foldBucket } from './fold-bucket.ts'
import { ROLLUP_LIMITS, type RollupLimits } from './rollup-limits.ts'

/** Rows that may be passed over for each row that is applied: some times what a bucket needs, so that folding keeps up. */
const PASSES_A_ROW = 32
/** A bucket is folded anew once so many of its rows in one of the rest came late. */
const LATE_SHARE = 4
/** Rows after which buckets are looked through though none has become quiet: some of the rows may have come late. */
const ROWS_A_LOOK = 4_096

type Folding = Readonly<{
  bucket: RowBucket
  sources: readonly ResidentSource[]
  work: Generator<number, BucketRollup>
}>
/** What a bucket was last folded for, whether or not that came to an end. */
type Tried = Readonly<{ declared: string; rowCount: number }>
/** None was due, of these buckets up to the newest one; none will be before the time, unless rows come late. */
type Look = Readonly<{ definition: TableDefinition; newest: RowBucket | undefined; untilUs: number }>

/**
 * Folds the buckets of one replica into rollups once they are quiet: event time has passed them by the allowed lateness,
 * or by their own span if that is less. A little with each block, so that no block waits for a whole bucket. Rows that
 * come later are read beside the rollup, until they are many. What is folded is derived from rows alone: it is no part of
 * the state, and an answer is the same with and without it.
 */
export class BucketFolder {
  /** Buckets that were left to be scanned because the arena had no room for their cells. */
  outOfMemory = 0
  private readonly limits: RollupLimits
  private folding: Folding | undefined
  private readonly tried = new WeakMap<RowBucket, Tried>()
  private hasTried = false
  private credit = 0
  private inVain: Look | undefined
  private rowsSinceLook = 0

  constructor(limits: RollupLimits = ROLLUP_LIMITS) {
    this.limits = limits
  }

  /**
   * Works for as long as passing over `rows` rows a few times takes; `Infinity`: until every quiet bucket is folded. Answers
   * whether there was anything to do.
   */
  work(buckets: BucketRing, definition: TableDefinition, progressUs: number, rows: number): boolean {
    if ((definition.rollups ?? []).length === 0) return this.unfold(buckets)
    this.rowsSinceLook += rows
    if (this.folding !== undefined && !buckets.values().includes(this.folding.bucket)) this.stop()
    this.credit = Math.min(this.credit, 0) + rows * PASSES_A_ROW
    let worked = false
    while (this.credit > 0) {
      this.folding ??= this.begin(buckets, definition, progressUs)
      if (this.folding === undefined) return worked
      this.step(this.folding)
      worked = true
    }
    return worked
  }

  /** Gives up what is half done, and its memory. */
  stop(): void {
    const { folding } = this
    if (folding === undefined) return
    this.folding = undefined
    folding.work.return(undefined as never)
    for (const { resident } of folding.sources) resident.chunk.release()
  }

  private begin(buckets: BucketRing, definition: TableDefinition, progressUs: number): Folding | undefined {
    const held = buckets.values()
    const newest = held.at(-1)
    if (!this.mayBeDue(definition, newest, progressUs)) return undefined
    const declared = JSON.stringify(definition.rollups)
    let untilUs = Number.POSITIVE_INFINITY
    for (const bucket of held) {
      const quietUs = quietFromUs(bucket, definition)
      if (quietUs > progressUs) untilUs = Math.min(untilUs, quietUs)
      else if (this.isDue(bucket, declared)) return this.beginBucket(bucket, definition, declared)
    }
    this.inVain = { definition, newest, untilUs }
    this.rowsSinceLook = 0
    return undefined
  }

  /** Whether looking through the buckets may find one: a table has some sixty, and blocks may be of ten rows. */
  private mayBeDue(definition: TableDefinition, newest: RowBucket | undefined, progressUs: number): boolean {
    const { inVain } = this
    if (inVain === undefined || this.rowsSinceLook >= ROWS_A_LOOK) return true
    return inVain.definition !== definition || inVain.newest !== newest || progressUs >= inVain.untilUs
  }

  private beginBucket(bucket: RowBucket, definition: TableDefinition, declared: string): Folding {
    this.hasTried = true
    this.tried.set(bucket, { declared, rowCount: bucket.rowCount })
    const sources = bucket.close(definition)
    for (const { resident } of sources) resident.chunk.retain()
    const { startUs, endUs } = bucket
    return { bucket, sources, work: foldBucket({ startUs, endUs, sources }, definition, this.limits) }
  }

  /** No version in force declares a rollup any more, or ever did. */
  private unfold(buckets: BucketRing): boolean {
    if (!this.hasTried) return false
    this.hasTried = false
    this.stop()
    for (const bucket of buckets.values()) {
      bucket.fold(undefined)
      this.tried.delete(bucket)
    }
    return true
  }

  private isDue(bucket: RowBucket, declared: string): boolean {
    const { rowCount } = bucket
    if (rowCount < this.limits.rowsMin) return false
    const tried = this.tried.get(bucket)
    if (tried === undefined || tried.declared !== declared) return true
    return (rowCount - tried.rowCount) * LATE_SHARE >= tried.rowCount
  }

  private step(folding: Folding): void {
    try {
      const { done, value } = folding.work.next()
      if (done !== true) {
        this.credit -= value
        return
      }
      folding.bucket.fold(value)
    } catch (error) {
      if (!(error instanceof TrueNowError && error.code === 'TN_MEMORY_FULL')) throw error
      this.outOfMemory += 1
    }
    this.stop()
  }
}

/** Event time from which on the bucket is quiet. */
const quietFromUs = ({ startUs, endUs }: RowBucket, { allowedLatenessUs }: TableDefinition): number =>
  endUs + Math.min(allowedLatenessUs, endUs - startUs)
