import {
  ROLLUP_STEPS_US,
  type RollupDefinition,
  type TableDefinition,
} from '@truenow/contracts/table-definition.ts'
import { type ResidentSource, type RollupLevel, WHOLE_BUCKET } from '../plan/row-source.ts'
import { Scratch } from '../plan/scratch.ts'
import type { Kernels, Pointer } from '../simd/kernels.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { BucketRollup } from './bucket-rollup.ts'
import { CellSums, type Metric } from './cell-sums.ts'
import { DimensionCodes, type DimensionType } from './dimension-codes.ts'
import { KeyNumbers } from './key-numbers.ts'
import type { RollupLimits } from './rollup-limits.ts'
import { type BucketRows, type CellKeys, type Tuples, writeLevel } from './write-level.ts'

const CODE_BYTES = 4
const KEY_BYTES = 8

/** Combinations of the first dimensions' values, and the number of that of each row, u32, by source. */
type NumberedTuples = Tuples & Readonly<{ ids: readonly Pointer[] }>
type Made = CellKeys & Readonly<{ prefix: number; level: RollupLevel }>

/**
 * Folds the rows of a bucket into the rollups that the table declares: for each prefix of the dimensions and each step
 * from the granularity up, a cell a step and combination. The finest level of at most `limits` cells is folded from rows,
 * the coarser ones from cells. A level with too many cells, or with a sum beyond float64, is left out.
 * Yields the rows or cells that each piece of work passed over. Whoever stops early calls `return`; then, as after an
 * error, nothing is kept. Errors: TN_MEMORY_FULL.
 * Cost: about three passes over the rows for each dimension and rollup.
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
    const typeOf = (name: string) => definition.columns.find((column) => column.name === name)?.type
    this.dimensions = rollup.dimensions.map(
      (name) =>
        new DimensionCodes(name, typeOf(name) as DimensionType, this.kernels, this.scratch, this.limit),
    )
    this.metrics = rollup.metrics.map((name) => ({ name, type: typeOf(name) as Metric['type'] }))
    const zeros = this.room('zeros', CODE_BYTES)
    this.scratch.wordsAt(zeros, this.rowsMost).fill(0)
    this.tuples = [
      { parents: new Uint32Array(1), codes: new Uint32Array(1), ids: rows.sources.map(() => zeros) },
    ]
  }

  /** Adds its levels to `levels` as they are made: they are whoever's that list is. */
  *run(levels: RollupLevel[]): Generator<number, void> {
    yield* this.numberTuples()
    this.levelsLeftOut += (this.dimensions.length + 1 - this.tuples.length) * this.steps.length
    for (let prefix = this.tuples.length - 1; prefix >= 0; prefix--) {
      for (const stepUs of this.steps) {
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
    const [codes, keys] = [this.room('codes', CODE_BYTES), this.room('keys', KEY_BYTES)]
    for (const dimension of this.dimensions) {
      const before = this.tuples.at(-1)!
      const numbers = new KeyNumbers(this.kernels, this.scratch, this.limit)
      const ids: Pointer[] = []
      for (const [at, source] of this.rows.sources.entries()) {
        const out = this.scratch.allocate(source.rowCount * CODE_BYTES)
        ids.push(out)
        if (!dimension.write(source, codes)) return
        this.kernels.pairKeys(before.ids[at]!, codes, source.rowCount, keys)
        if (!numbers.number(keys, source.rowCount, 0, out)) return
        yield source.rowCount
      }
      const { low, high } = numbers.halves()
      this.tuples.push({ parents: low, codes: high, ids })
      numbers.free()
    }
  }

  /** Of what is made, that with the fewest cells whose cells these are made of. */
  private finerThan(prefix: number, stepUs: number): Made | undefined {
    const usable = this.made.filter(
      (one) => one.prefix >= prefix && (stepUs === WHOLE_BUCKET || stepUs % one.level.stepUs === 0),
    )
    return usable.toSorted((a, b) => a.tuples.length - b.tuples.length)[0]
  }

  private *fromRows(prefix: number, stepUs: number): Generator<number, Made | undefined> {
    const { ids, codes } = this.tuples[prefix]!
    if (stepUs === WHOLE_BUCKET) {
      // Each combination is a cell, and numbered already.
      const tuples = Uint32Array.from(codes, (_, tuple) => tuple)
      return yield* this.sumRows(prefix, { tuples, steps: new Uint32Array(tuples.length), stepUs }, ids)
    }
    const { kernels, scratch } = this
    const [steps, keys] = [this.room('codes', CODE_BYTES), this.room('keys', KEY_BYTES)]
    const numbers = new KeyNumbers(kernels, scratch, this.limit)
    const groups: Pointer[] = []
    let fits = true
    for (const [at, source] of this.rows.sources.entries()) {
      const out = scratch.allocate(source.rowCount * CODE_BYTES)
      groups.push(out)
      this.writeSteps(source, stepUs, steps)
      kernels.pairKeys(ids[at]!, steps, source.rowCount, keys)
      fits = numbers.number(keys, source.rowCount, 0, out)
      yield source.rowCount
      if (!fits) break
    }
    let made: Made | undefined
    if (fits) made = yield* this.sumRows(prefix, keysOf(numbers, stepUs), groups)
    else this.levelsLeftOut += 1
    for (const pointer of groups) scratch.free(pointer)
    numbers.free()
    return made
  }

  private *sumRows(
    prefix: number,
    keys: CellKeys,
    groups: readonly Pointer[],
  ): Generator<number, Made | undefined> {
    const sums = new CellSums(this.metrics, keys.tuples.length, this.kernels, this.scratch)
    for (const [at, source] of this.rows.sources.entries()) {
      sums.addRows(source, groups[at]!)
      yield source.rowCount
    }
    return this.finish(prefix, keys, sums)
  }

  private *fromCells(finer: Made, prefix: number, stepUs: number): Generator<number, Made | undefined> {
    const { cells } = finer.level
    const n = cells.rowCount
    yield n // Before the level is made: whoever stops here must not have one that nobody knows.
    const [ids, groups] = [this.scratch.allocate(n * CODE_BYTES), this.scratch.allocate(n * CODE_BYTES)]
    const [steps, keys] = [this.scratch.allocate(n * CODE_BYTES), this.scratch.allocate(n * KEY_BYTES)]
    let { tuples } = finer
    for (let of = finer.prefix; of > prefix; of--) {
      const { parents } = this.tuples[of]!
      tuples = tuples.map((tuple) => parents[tuple]!)
    }
    this.scratch.wordsAt(ids, n).set(tuples)
    this.writeSteps(cells, stepUs, steps)
    this.kernels.pairKeys(ids, steps, n, keys)
    const numbers = new KeyNumbers(this.kernels, this.scratch, n)
    numbers.number(keys, n, 0, groups)
    let made: Made | undefined
    // What has hardly fewer cells is not worth its memory: the finer ones answer as well.
    if (numbers.count * 2 <= n) {
      const sums = new CellSums(this.metrics, numbers.count, this.kernels, this.scratch)
      sums.addCells(finer.level, groups)
      made = this.finish(prefix, keysOf(numbers, stepUs), sums)
    }
    for (const pointer of [ids, groups, steps, keys]) this.scratch.free(pointer)
    numbers.free()
    return made
  }

  /** Frees the sums; undefined when one of them left its type. */
  private finish(prefix: number, keys: CellKeys, sums: CellSums): Made | undefined {
    let made: Made | undefined
    if (sums.isFinite) {
      const { rows, definition, dimensions, metrics } = this
      const level = writeLevel(keys, this.tuples.slice(0, prefix + 1), sums, {
        rows,
        definition,
        dimensions,
        metrics,
      })
      made = { ...keys, prefix, level }
    } else this.levelsLeftOut += 1
    sums.free()
    return made
  }

  /** Which step each row of a source is in, u32, counted from the first of the bucket. */
  private writeSteps(source: ResidentSource, stepUs: number, out: Pointer): void {
    const { chunk } = source.resident
    const n = source.rowCount
    const target = this.scratch.wordsAt(out, n)
    if (stepUs === WHOLE_BUCKET) {
      target.fill(0)
      return
    }
    const { startUs } = this.rows
    const first = Math.floor(startUs / stepUs)
    if (chunk.layout.timeWidth === 4) {
      const times = chunk.timesAt
      this.kernels.groupTimesInit(times, n, startUs - first * stepUs, stepUs, out)
    } else {
      const { times } = source
      for (let row = 0; row < n; row++) target[row] = Math.floor(times[row]! / stepUs) - first
    }
  }

  private get rowsMost(): number {
    return this.rows.sources.reduce((most, { rowCount }) => Math.max(most, rowCount), 0)
  }
  private room(name: string, bytes: number): Pointer {
    return this.scratch.keep(name, this.rowsMost * bytes)
  }
}

function keysOf(numbers: KeyNumbers, stepUs: number): CellKeys {
  const { low: tuples, high: steps } = numbers.halves()
  return { tuples, steps, stepUs }
}
