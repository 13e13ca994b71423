import type { Arena } from '../columns/arena.ts'
import { CHUNK_ROWS_MIN, Chunk } from '../columns/chunk.ts'
import type { ChunkLayout } from '../columns/chunk-layout.ts'
import { WHOLE_BUCKET } from '../plan/row-source.ts'
import type { DimensionCodes } from './dimension-codes.ts'

/** Combinations of the first dimensions' values: each is one of the dimensions before and the code of the last. */
export type Tuples = Readonly<{ parents: Uint32Array; codes: Uint32Array }>

/** Of each cell: its combination of dimensions, and its step, counted from the first of the bucket. */
export type CellKeys = Readonly<{ tuples: Uint32Array; steps: Uint32Array; stepUs: number }>

type LevelParts = Readonly<{
  arena: Arena
  layout: ChunkLayout
  /** Where the bucket begins. */
  startUs: number
  dimensions: readonly DimensionCodes[]
  /** Those of no dimension, of the first, of the first two, ...: of all that the level has. */
  tuples: readonly Tuples[]
}>

/**
 * A chunk for the cells of a level, with their times and dimensions; whoever asks for it writes the rest, and retires it.
 * Cost: O(cells × dimensions). Errors: TN_MEMORY_FULL.
 */
export function createLevelChunk(keys: CellKeys, parts: LevelParts): Chunk {
  const { arena, layout, startUs, dimensions, tuples } = parts
  const cells = keys.tuples.length
  const chunk = new Chunk(arena, layout, Math.ceil(cells / CHUNK_ROWS_MIN) * CHUNK_ROWS_MIN, 0)
  chunk.rowCount = cells
  writeTimes(chunk, keys, startUs)
  let own = keys.tuples
  for (let of = tuples.length - 1; of > 0; of--) {
    const { parents, codes } = tuples[of]!
    writeDimension(chunk, dimensions[of - 1]!, codes, own)
    if (of > 1) own = parentsOf(own, parents)
  }
  return chunk
}

/** Of each combination that of the dimensions before its last. */
export function parentsOf(tuples: Uint32Array, parents: Uint32Array): Uint32Array {
  const before = new Uint32Array(tuples.length)
  for (let cell = 0; cell < tuples.length; cell++) before[cell] = parents[tuples[cell]!]!
  return before
}

function writeTimes(chunk: Chunk, { steps, stepUs }: CellKeys, startUs: number): void {
  const times = chunk.times()
  const baseUs = times instanceof Float64Array ? startUs : 0
  // The first step may begin before the bucket does.
  const [firstUs, spanUs] =
    stepUs === WHOLE_BUCKET ? [0, 0] : [Math.floor(startUs / stepUs) * stepUs - startUs, stepUs]
  let [earliest, latest] = [Number.POSITIVE_INFINITY, 0]
  for (let cell = 0; cell < steps.length; cell++) {
    const offset = Math.max(0, firstUs + steps[cell]! * spanUs)
    times[cell] = baseUs + offset
    if (offset < earliest) earliest = offset
    if (offset > latest) latest = offset
  }
  chunk.timeMin = earliest
  chunk.timeMax = latest
}

function writeDimension(chunk: Chunk, dimension: DimensionCodes, codes: Uint32Array, own: Uint32Array): void {
  const index = chunk.layout.indexOf(dimension.name)!
  const [values, validity, integers] = [chunk.values(index), chunk.validity(index), dimension.values()]
  for (let cell = 0; cell < own.length; cell++) {
    const code = codes[own[cell]!]!
    const isNull = code === dimension.nullCode
    values[cell] = isNull ? 0 : integers === undefined ? code : integers[code]!
    if (!isNull && validity !== undefined) validity[cell >>> 3]! |= 1 << (cell & 7)
  }
}
