import { xxHash32 } from '@truenow/contracts/partition-hash.ts'
import { ID_COLUMN_INDEX, type TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'
import { type Column, valueAt } from '@truenow/contracts/wire/column.ts'
import { fmix32 } from '@truenow/kernels/hashing/fmix32.ts'
import { SpaceSaving } from '@truenow/kernels/sketches/space-saving.ts'

/** A key that people are told of, and its estimated share of the slot's rows. */
export type TopKey = Readonly<{ key: string; share: number }>

/** Rows of one block that are looked at, and how often a block is: a fraction of a thousandth of a core, whatever comes in. */
const SAMPLE_ROWS_MAX = 32
export const SAMPLE_MS = 250
/** What was counted weighs half as much after so long. */
const HALVED_AFTER_MS = 60_000
/** Keys that are counted; a key with more than a 64th of the rows is always among them. */
const KEYS_MAX = 64
/** Before so many rows were looked at, nobody can say what is frequent. */
const ROWS_MIN = 100
const TOLD_KEYS_MAX = 3
/** A key below this share makes no slot hot. */
const TOLD_SHARE_MIN = 0.05
const KEY_CHARACTERS_MAX = 80

/**
 * Which partition keys a slot's rows have, as a sample of its blocks tells. It is no part of a replica's state. A table that is
 * partitioned by its id has no frequent keys, and none is counted.
 */
export class KeySample {
  private readonly nowMs: () => number
  private keys = new SpaceSaving(KEYS_MAX)
  private lookedMs = Number.NEGATIVE_INFINITY
  private halvedMs: number

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
    this.halvedMs = nowMs()
  }

  /** Counts some rows of a block, where it is time. `offset` of its record says which. */
  look(block: Block, definition: TableDefinition, offset: number): void {
    const nowMs = this.nowMs()
    if (nowMs - this.lookedMs < SAMPLE_MS) return
    this.lookedMs = nowMs
    for (; nowMs - this.halvedMs >= HALVED_AFTER_MS; this.halvedMs += HALVED_AFTER_MS) this.keys.halve()
    const columns = keyColumns(block, definition)
    if (columns.length === 0) return
    const { rowCount } = block
    for (let at = 0; at < Math.min(rowCount, SAMPLE_ROWS_MAX); at++) {
      // Not every nth: senders have rhythms of their own.
      const row = rowCount <= SAMPLE_ROWS_MAX ? at : (fmix32(offset * SAMPLE_ROWS_MAX + at) >>> 0) % rowCount
      this.keys.add(keyOf(columns, row))
    }
  }

  /** The most frequent keys, most frequent first; none where too few rows were looked at. */
  top(): readonly TopKey[] {
    const { total } = this.keys
    if (total < ROWS_MIN) return []
    return this.keys
      .top(TOLD_KEYS_MAX)
      .map(({ key, count, errorMax }) => ({ key, share: (count - errorMax) / total }))
      .filter(({ share }) => share >= TOLD_SHARE_MIN)
  }
}

type NamedColumn = Readonly<{ name: string; column: Column }>

function keyColumns({ columns }: Block, { partitionBy, columns: declared, idColumn }: TableDefinition) {
  if (partitionBy.length === 0 || partitionBy.includes(idColumn)) return []
  const after = ID_COLUMN_INDEX + 2 // Id and time stand before the table's own.
  return partitionBy.flatMap((name): NamedColumn[] => {
    const column = columns[after + declared.findIndex((one) => one.name === name)]
    return column === undefined ? [] : [{ name, column }]
  })
}

/** As people write it, cut where it is long: what was cut off still tells keys apart. */
function keyOf(columns: readonly NamedColumn[], row: number): string {
  const key = columns.map(({ name, column }) => `${name}=${JSON.stringify(valueAt(column, row))}`).join(', ')
  if (key.length <= KEY_CHARACTERS_MAX) return key
  return `${key.slice(0, KEY_CHARACTERS_MAX)}… (${xxHash32(Buffer.from(key)).toString(16)})`
}
