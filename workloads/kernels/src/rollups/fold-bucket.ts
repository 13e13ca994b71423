import {
  ROLLUP_STEPS_US,
  type RollupDefinition,
  type TableDefinition,
} from '@truenow/contracts/table-definition.ts'
import type { Chunk } from '../columns/chunk.ts'
import type { ChunkLayout } from '../columns/chunk-layout.ts'
import { type ResidentSource, type RollupLevel, WHOLE_BUCKET } from '../plan/row-source.ts'
import { Scratch } from '../plan/scratch.ts'
import { ChunkSource } from '../replica/chunk-source.ts'
import type { Kernels, Pointer } from '../simd/kernels.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { BucketRollup } from './bucket-rollup.ts'
import { CellSums } from './cell-sums.ts'
import { DimensionCodes, type DimensionType } from './dimension-codes.ts'
import { type CellKeys, createLevelChunk, parentsOf, type Tuples } from './level-chunk.ts'
import { levelLayout, type Metric } from './level-layout.ts'
import { PairNumbers } from './pair-numbers.ts'
import type { RollupLimits } from './rollup-limits.ts'

const TWO_TO_32 = 2 ** 32
const CODE_BYTES = 4
/** Numbers of each source's rows begin at a whole vector. */
const ROWS_A_VECTOR = 4

/** The rows of a bucket, chunk by chunk in log order, that stay as they are while they are folded. */
export type BucketRows = Readonly<{ startUs: number; endUs: number; sources: readonly ResidentSource[] }>

/**
 * Combinations of the first dimensions' values, the number of that of each row, u32, source after source, and where the
 * columns of levels of these dimensions stand.
 */
type NumberedTuples = Tuples & Readonly<{ ids: Pointer; layout: ChunkLayout }>
type Made = CellKeys & Readonly<{ prefix: number; level: RollupLevel }>

/**
 * Folds the rows of a bucket into the rollups that the table declares: for each prefix of the dimensions and each step
 * from the granularity up, a cell a step and combination. The finest level of at most `limits` cells is folded from rows,
 * the coarser ones from cells. A level with too many cells, or with a sum beyond float64, is left out.
 * Yields the rows or cells that each piece of work passed over. Whoever stops early calls `return`; then, as after an
 * error, nothing is kept. Errors: TN_MEMORY_FULL.
 * Cost: of each rollup two passes over the rows a dimension; three and two a metric for the finest level.
 */
export function* foldBucket(
  rows: BucketRows,
  definition: TableDefinition,
  limits: RollupLimits,
): Generator<number, BucketRollup> {
  const rowCount = rows.sources.reduce((sum, source) => sum + source.rowCount, 0)
  const scratch = new Scratch(rows.sources[0]!.resident.chunk.arena)
  const levels: RollupLevel[] = []
  let levelsLeftOut = 0
  let finished = false
  try {
    for (const rollup of definition.rollups ?? []) {
      const fold = new RollupFold(rows, rollup, definition, limits, scratch)
      yield* fold.run(levels)
      levelsLeftOut += fold.levelsLeftOut
      scratch.freeAll()
    }
    finished = true
    return new BucketRollup({ startUs: rows.startUs, endUs: rows.endUs, levels, rowCount, levelsLeftOut })
  } finally {
    scratch.freeAll()
    if (!finished) for (const { cells } of levels) cells.resident.chunk.retire()
  }
}

/** Steps that a rollup has in a bucket, the finest first; a longer one than the bucket is the bucket. */
function stepsOf({ granularityUs }: RollupDefinition, spanUs: number): number[] {
  const steps = Object.values(ROLLUP_STEPS_US).filter((us) => us >= granularityUs && us < spanUs)
  return [...steps, WHOLE_BUCKET]
}

/** One rollup of one bucket in the making. */
class RollupFold {
  levelsLeftOut = 0
  private readonly rows: BucketRows
  private readonly definition: TableDefinition
  private readonly limit: number
  private readonly steps: readonly number[]
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly dimensions: readonly DimensionCodes[]
  private readonly metrics: readonly Metric[]
  /** By how many dimensions they are of. */
  private readonly tuples: NumberedTuples[]
  private readonly made: Made[] = []
  /** Where the rows of each source begin among those of all; and where the last ones end. */
  private readonly firstRows: readonly number[]
  private readonly rowsEnd: number

  constructor(
    rows: BucketRows,
    rollup: RollupDefinition,
    definition: TableDefinition,
    { cellsMax, rowsACellMin }: RollupLimits,
    scratch: Scratch,
  ) {
    const rowCount = rows.sources.reduce((sum, source) => sum + source.rowCount, 0)
    this.rows = rows
    this.definition = definition
    this.limit = Math.min(cellsMax, Math.floor(rowCount / rowsACellMin))
    this.steps = stepsOf(rollup, rows.endUs - rows.startUs)
    this.kernels = kernelsOf(rows.sources[0]!.resident.chunk.arena)
    this.scratch = scratch
    let rowsEnd = 0
    this.firstRows = rows.sources.map((source) => {
      const first = rowsEnd
      rowsEnd += Math.ceil(source.rowCount / ROWS_A_VECTOR) * ROWS_A_VECTOR
      return first
    })
    this.rowsEnd = rowsEnd
    const { kernels, limit } = this
    const { pools } = rows.sources[0]!.resident
    const typeOf = (name: string) => definition.columns.find((column) => column.name === name)?.type
    this.dimensions = rollup.dimensions.map((name) => {
      const type = typeOf(name) as DimensionType
      const texts = type === 'string' ? pools.of(name).size : 0
      return new DimensionCodes({ name, type, texts }, kernels, scratch, limit)
    })
    this.metrics = rollup.metrics.map((name) => {
      const hasNulls = rows.sources.some(({ resident }) => mayBeNull(resident.chunk.layout, name))
      return { name, type: typeOf(name) as Metric['type'], hasNulls }
    })
    const ids = scratch.allocate(rowsEnd * CODE_BYTES)
    kernels.clearBytes(ids, rowsEnd * CODE_BYTES)
    const layout = levelLayout(rows.endUs - rows.startUs <= TWO_TO_32, this.metrics)
    this.tuples = [{ parents: new Uint32Array(1), codes: new Uint32Array(1), ids, layout }]
  }

  /** Adds its levels to `levels` as they are made: they are whoever's that list is. */
  *run(levels: RollupLevel[]): Generator<number, void> {
    yield* this.numberTuples()
    this.levelsLeftOut += (this.dimensions.length + 1 - this.tuples.length) * this.steps.length
    for (let prefix = this.tuples.length - 1; prefix >= 0; prefix--) {
      const skipped = yield* this.stepsTooFine(prefix)
      this.levelsLeftOut += skipped
      for (const stepUs of this.steps.slice(skipped)) {
        const finer = this.finerThan(prefix, stepUs)
        const made =
          finer === undefined
            ? yield* this.fromRows(prefix, stepUs)
            : yield* this.fromCells(finer, prefix, stepUs)
        if (made === undefined) continue
        this.made.push(made)
        levels.push(made.level)
      }
    }
  }

  /** Numbers the combinations of the first one, two, ... dimensions; ends where there are too many. */
  private *numberTuples(): Generator<number, void> {
    const codes = this.room('codes', CODE_BYTES)
    for (const dimension of this.dimensions) {
      const before = this.tuples.at(-1)!
      const ids = this.scratch.allocate(this.rowsEnd * CODE_BYTES)
      const numbers = this.numbersOfRows(before.codes.length, dimension.nullCode + 1)
      for (const [at, source] of this.rows.sources.entries()) {
        const first = this.firstRows[at]! * CODE_BYTES
        const fits =
          dimension.write(source, codes) &&
          numbers.number(before.ids + first, codes, source.rowCount, ids + first)
        if (!fits) return
        yield source.rowCount
      }
      const { firsts: parents, seconds } = numbers.halves()
      numbers.free()
      const { name, type, width, nullCode } = dimension
      const layout = before.layout.with({ name, type, width, hasValidity: seconds.includes(nullCode) })
      this.tuples.push({ parents, codes: seconds, ids, layout })
    }
  }

  /** Of what is made, that with the fewest cells whose cells these are made of. */
  private finerThan(prefix: number, stepUs: number): Made | undefined {
    const usable = this.made.filter(
      (one) => one.prefix >= prefix && (stepUs === WHOLE_BUCKET || stepUs % one.level.stepUs === 0),
    )
    return usable.toSorted((a, b) => a.tuples.length - b.tuples.length)[0]
  }

  /**
   * How many of the finest steps are known to have too many cells. Where that is likely the coarser ones are looked at first:
   * a step with too many cells spares a look at those within it.
   */
  private *stepsTooFine(prefix: number): Generator<number, number> {
    const [finest = WHOLE_BUCKET] = this.steps
    const kinds = this.tuples[prefix]!.codes.length * this.stepCount(finest)
    if (likelyDistinct(kinds, this.rowsEnd) <= this.limit || this.finerThan(prefix, finest) !== undefined)
      return 0
    // The last one, the whole bucket, has a cell a combination, and these are not too many.
    for (let at = this.steps.length - 2; at >= 0; at--)
      if ((yield* this.numberCells(prefix, this.steps[at]!)) === undefined) return at + 1
    return 0
  }

  private *fromRows(prefix: number, stepUs: number): Generator<number, Made | undefined> {
    const { ids, codes } = this.tuples[prefix]!
    if (stepUs === WHOLE_BUCKET) {
      // Each combination is a cell, and numbered already.
      const tuples = new Uint32Array(codes.length)
      for (let tuple = 0; tuple < tuples.length; tuple++) tuples[tuple] = tuple
      return yield* this.sumRows(prefix, { tuples, steps: new Uint32Array(tuples.length), stepUs }, ids)
    }
    const keys = yield* this.numberCells(prefix, stepUs)
    if (keys !== undefined) return yield* this.sumRows(prefix, keys, this.groups())
    this.levelsLeftOut += 1
    return undefined
  }

  /** Writes the cell of each row to `groups`; undefined when there are too many cells. */
  private *numberCells(prefix: number, stepUs: number): Generator<number, CellKeys | undefined> {
    const { ids, codes } = this.tuples[prefix]!
    const [steps, groups] = [this.room('codes', CODE_BYTES), this.groups()]
    const numbers = this.numbersOfRows(codes.length, this.stepCount(stepUs))
    let fits = true
    for (const [at, source] of this.rows.sources.entries()) {
      const first = this.firstRows[at]! * CODE_BYTES
      this.writeSteps(source, stepUs, steps)
      fits = numbers.number(ids + first, steps, source.rowCount, groups + first)
      yield source.rowCount
      if (!fits) break
    }
    const keys = fits ? keysOf(numbers, stepUs) : undefined
    numbers.free()
    return keys
  }

  private *sumRows(prefix: number, keys: CellKeys, groups: Pointer): Generator<number, Made | undefined> {
    const chunk = this.createChunk(prefix, keys)
    const sums = new CellSums(chunk, this.metrics, this.kernels)
    let added = 0
    try {
      for (const [at, source] of this.rows.sources.entries()) {
        sums.addRows(source, groups + this.firstRows[at]! * CODE_BYTES)
        yield source.rowCount
        added += 1
      }
    } finally {
      if (added < this.rows.sources.length) chunk.retire() // Nobody goes on: nobody else knows of it.
    }
    return this.finish(prefix, keys, chunk, sums)
  }

  private *fromCells(finer: Made, prefix: number, stepUs: number): Generator<number, Made | undefined> {
    const { cells } = finer.level
    const n = cells.rowCount
    yield n // Before the level is made: whoever stops here must not have one that nobody knows.
    const [ids, steps] = [
      this.scratch.keep('ids', n * CODE_BYTES),
      this.scratch.keep('codes', n * CODE_BYTES),
    ]
    const groups = this.groups()
    let { tuples } = finer
    for (let of = finer.prefix; of > prefix; of--) tuples = parentsOf(tuples, this.tuples[of]!.parents)
    this.scratch.wordsAt(ids, n).set(tuples)
    this.writeSteps(cells, stepUs, steps)
    const numbers = new PairNumbers(this.kernels, this.scratch, {
      firsts: this.tuples[prefix]!.codes.length,
      seconds: this.stepCount(stepUs),
      n,
      rowsMost: n,
      limit: n,
    })
    numbers.number(ids, steps, n, groups)
    let made: Made | undefined
    // What has hardly fewer cells is not worth its memory: the finer ones answer as well.
    if (numbers.count * 2 <= n) {
      const keys = keysOf(numbers, stepUs)
      const chunk = this.createChunk(prefix, keys)
      const sums = new CellSums(chunk, this.metrics, this.kernels)
      sums.addCells(cells, groups)
      made = this.finish(prefix, keys, chunk, sums)
    }
    numbers.free()
    return made
  }

  private createChunk(prefix: number, keys: CellKeys): Chunk {
    const { rows, dimensions } = this
    const { arena } = rows.sources[0]!.resident.chunk
    const tuples = this.tuples.slice(0, prefix + 1)
    const { layout } = tuples[prefix]!
    return createLevelChunk(keys, { arena, layout, startUs: rows.startUs, dimensions, tuples })
  }

  /** The level of a chunk whose cells are summed; undefined, and the chunk given back, when a sum left its type. */
  private finish(prefix: number, keys: CellKeys, chunk: Chunk, sums: CellSums): Made | undefined {
    if (!sums.end()) {
      this.levelsLeftOut += 1
      chunk.retire()
      return undefined
    }
    const { rows, definition } = this
    const { pools } = rows.sources[0]!.resident
    const level: RollupLevel = {
      dimensions: this.dimensions.slice(0, prefix).map(({ name }) => name),
      metrics: this.metrics.map(({ name }) => name),
      stepUs: keys.stepUs,
      cells: new ChunkSource(0, chunk, rows.startUs, pools, definition),
    }
    return { ...keys, prefix, level }
  }

  /** Which step each row of a source is in, u32, counted from the first of the bucket. */
  private writeSteps(source: ResidentSource, stepUs: number, out: Pointer): void {
    const { chunk } = source.resident
    const n = source.rowCount
    if (stepUs === WHOLE_BUCKET) {
      this.kernels.clearBytes(out, n * CODE_BYTES)
      return
    }
    const { startUs } = this.rows
    const first = Math.floor(startUs / stepUs)
    if (chunk.layout.timeWidth === 4) {
      const times = chunk.timesAt
      this.kernels.groupTimesInit(times, n, startUs - first * stepUs, stepUs, out)
    } else {
      const { times } = source
      const target = this.scratch.wordsAt(out, n)
      for (let row = 0; row < n; row++) target[row] = Math.floor(times[row]! / stepUs) - first
    }
  }

  /** Steps that the bucket lies in. */
  private stepCount(stepUs: number): number {
    const { startUs, endUs } = this.rows
    return stepUs === WHOLE_BUCKET ? 1 : Math.floor((endUs - 1) / stepUs) - Math.floor(startUs / stepUs) + 1
  }

  private numbersOfRows(firsts: number, seconds: number): PairNumbers {
    const { rowsEnd: n, rowsMost, limit } = this
    return new PairNumbers(this.kernels, this.scratch, { firsts, seconds, n, rowsMost, limit })
  }

  /** Room for the cell of each row, u32, or of each cell of a finer level. */
  private groups(): Pointer {
    return this.scratch.keep('groups', this.rowsEnd * CODE_BYTES)
  }
  private get rowsMost(): number {
    return this.rows.sources.reduce((most, { rowCount }) => Math.max(most, rowCount), 0)
  }
  private room(name: string, bytes: number): Pointer {
    return this.scratch.keep(name, this.rowsMost * bytes)
  }
}

/** How many different ones `n` draws from `kinds` give on average. */
const likelyDistinct = (kinds: number, n: number): number => -kinds * Math.expm1(-n / kinds)

function mayBeNull(layout: ChunkLayout, name: string): boolean {
  const index = layout.indexOf(name)
  return index === undefined || layout.columns[index]!.hasValidity
}

function keysOf(numbers: PairNumbers, stepUs: number): CellKeys {
  const { firsts: tuples, seconds: steps } = numbers.halves()
  return { tuples, steps, stepUs }
}
