import { type AggregateCall, AggregateFunction } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'

type TextColumn = Extract<Column, { type: 'string' }>
/** Some rows with the group of each; both arrays hold at least `count`. */
export type GroupedRows = Readonly<{ rows: Uint32Array; groups: Uint32Array; count: number }>

/** Bits that are kept, over all groups; beyond it every row is let through. */
const BITS_MAX = 1 << 28

/** Whether a call over text is the same for each text once as for all its rows. */
export function countsTextsOnce({ function: aggregate }: AggregateCall): boolean {
  return (
    aggregate === AggregateFunction.COUNT_DISTINCT ||
    aggregate === AggregateFunction.APPROX_COUNT_DISTINCT ||
    aggregate === AggregateFunction.MIN ||
    aggregate === AggregateFunction.MAX
  )
}

/**
 * Lets each text of one pool through once a group: a bit for each code of each group. What is idempotent then meets a text
 * once instead of once a row. Cost: O(rows). Memory: one bit a code and group, at most 32 MiB.
 */
export class OncePerGroup {
  private readonly seen: Array<Uint32Array | undefined> = []
  private bits = 0

  /** The rows whose text their group has not had yet; null rows are left out. */
  filter(column: TextColumn, { rows, groups, count }: GroupedRows): GroupedRows {
    if (this.bits >= BITS_MAX) return { rows, groups, count }
    const [keptRows, keptGroups] = [new Uint32Array(count), new Uint32Array(count)]
    let kept = 0
    for (let index = 0; index < count; index++) {
      const row = rows[index]!
      if (!isValid(column, row)) continue
      const code = column.codes[row]!
      const group = groups[index]!
      const seen = this.seen[group] ?? this.open(group, column.dictionary.length)
      const bit = 1 << (code & 31)
      if ((seen[code >>> 5]! & bit) !== 0) continue
      seen[code >>> 5]! |= bit
      keptRows[kept] = row
      keptGroups[kept++] = group
    }
    return { rows: keptRows, groups: keptGroups, count: kept }
  }

  private open(group: number, codes: number): Uint32Array {
    const seen = new Uint32Array(Math.ceil(codes / 32))
    this.seen[group] = seen
    this.bits += seen.length * 32
    return seen
  }
}
