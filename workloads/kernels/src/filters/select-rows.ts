import type { Value } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import {
  CompareOperator,
  type Comparison,
  type Filter,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'
import { bitmapBytes } from '../columns/chunk-layout.ts'
import type { TextPool } from '../columns/text-pool.ts'
import type { ResidentSource, RowSource } from '../plan/row-source.ts'
import type { Scratch } from '../plan/scratch.ts'
import type { KernelCompare, Kernels } from '../simd/kernels.ts'
import { evaluateFilter, numberTest, scalarOf, TRUE, textTest } from './evaluate-filter.ts'

/** Rows that are wanted: a bitmap at `pointer`, or all of them where it is 0. */
export type Selection = Readonly<{ pointer: number; count: number }>
export const ALL_ROWS = 0

/** Event times in [startUs, endUs). */
type Range = Readonly<{ startUs: number; endUs: number }>
type Leaf = Readonly<{ kind: 'leaf'; comparison: Comparison; negated: boolean; verdicts: Verdicts }>
type Node = Leaf | Operation
type Operation = Readonly<{ kind: 'and' | 'or'; operands: readonly Node[] }>
/** By pool: a byte a code, 1 where the leaf holds, and how many codes were judged. */
type Verdicts = Map<TextPool, Readonly<{ pointer: number; entries: number }>>

/** Values of an IN over numbers that are compared one by one; more are looked up. */
const EQUALS_MAX = 8
const UINT32_MAX = 2 ** 32 - 1
const NEGATED: ReadonlyMap<CompareOperator, CompareOperator> = new Map([
  [CompareOperator.EQUAL, CompareOperator.NOT_EQUAL],
  [CompareOperator.NOT_EQUAL, CompareOperator.EQUAL],
  [CompareOperator.LESS, CompareOperator.GREATER_OR_EQUAL],
  [CompareOperator.GREATER_OR_EQUAL, CompareOperator.LESS],
  [CompareOperator.LESS_OR_EQUAL, CompareOperator.GREATER],
  [CompareOperator.GREATER, CompareOperator.LESS_OR_EQUAL],
])

/**
 * Selects rows of chunks by time and filter. NOT is pushed down to the comparisons, so that SQL's third value needs no
 * bitmap of its own: a comparison, negated or not, is true only where a value is there.
 * Cost: a pass a comparison, at one bit a row; a text is judged once. Twin: evaluate-filter.ts.
 */
export class RowSelector {
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly root: Node | undefined
  private readonly range: Range
  /** Operands of an AND in the order in which they are best evaluated. */
  private readonly orders = new Map<Operation, readonly Node[]>()

  constructor(kernels: Kernels, scratch: Scratch, filter: Filter | undefined, range: Range) {
    this.kernels = kernels
    this.scratch = scratch
    this.root = filter === undefined ? undefined : nodeOf(filter, false)
    this.range = range
  }

  /** The rows of a source inside the range, or another one, for which the filter is true. The bitmap holds until the next call. */
  select(source: ResidentSource, range: Range = this.range): Selection {
    const { rowCount } = source
    const whole = source.timeUsMin >= range.startUs && source.timeUsMax < range.endUs
    if (whole && this.root === undefined) return { pointer: ALL_ROWS, count: rowCount }
    const pointer = this.bitmap(0)
    if (!whole) this.selectTimes(source, range, pointer)
    if (this.root !== undefined) {
      const filtered = whole ? pointer : this.bitmap(1)
      this.evaluate(this.root, source, filtered, whole ? 1 : 2)
      if (!whole) this.kernels.bitmapAnd(pointer, filtered, rowCount, pointer)
    }
    return { pointer, count: this.kernels.bitmapCount(pointer, rowCount) }
  }

  private bitmap(depth: number): number {
    return this.scratch.keep(`bitmap ${depth}`, bitmapBytes(CHUNK_ROWS_MAX))
  }

  private selectTimes(
    { resident: { chunk, startUs }, rowCount }: ResidentSource,
    range: Range,
    out: number,
  ): void {
    const times = chunk.timesAt
    if (chunk.layout.timeWidth === 8) {
      this.kernels.selectF64Between(times, rowCount, range.startUs, range.endUs, out)
      return
    }
    const low = Math.max(0, range.startUs - startUs)
    const high = Math.min(UINT32_MAX, range.endUs - 1 - startUs)
    if (high < low) this.fill(false, rowCount, out)
    else this.kernels.selectU32Between(times, rowCount, low, high, out)
  }

  /** True rows of a node into `out`; bitmaps from `depth` on are free. */
  private evaluate(node: Node, source: ResidentSource, out: number, depth: number): void {
    if (node.kind === 'leaf') {
      this.compare(node, source, out)
      return
    }
    const { rowCount } = source
    const [first, ...others] = node.kind === 'and' ? this.rarestFirst(node, source) : node.operands
    if (first === undefined) {
      this.fill(node.kind === 'and', rowCount, out)
      return
    }
    this.evaluate(first, source, out, depth)
    for (const operand of others) {
      if (node.kind === 'and' && this.keepEqual(operand, source, out)) continue
      const next = this.bitmap(depth)
      this.evaluate(operand, source, next, depth + 1)
      if (node.kind === 'and') this.kernels.bitmapAnd(out, next, rowCount, out)
      else this.kernels.bitmapOr(out, next, rowCount, out)
    }
  }

  /** A text among many is the rarest: what follows then reads little. */
  private rarestFirst(node: Operation, { resident: { chunk, pools } }: ResidentSource): readonly Node[] {
    let order = this.orders.get(node)
    if (order === undefined) {
      const textsOf = (operand: Node) => {
        const column = wantedText(operand) === undefined ? '' : (operand as Leaf).comparison.column
        const index = chunk.layout.indexOf(column)
        return index !== undefined && chunk.layout.columns[index]!.type === 'string'
          ? pools.of(column).size
          : 0
      }
      order = node.operands.toSorted((left, right) => textsOf(right) - textsOf(left))
      this.orders.set(node, order)
    }
    return order
  }

  /** Drops from `out` the rows that have not the text which an operand asks for; false: it asks for something else. */
  private keepEqual(operand: Node, source: ResidentSource, out: number): boolean {
    const text = wantedText(operand)
    if (text === undefined) return false
    const { chunk, pools } = source.resident
    const { column } = (operand as Leaf).comparison
    const index = chunk.layout.indexOf(column)
    const layout = index === undefined ? undefined : chunk.layout.columns[index]
    if (layout?.type !== 'string' || layout.hasValidity) return false
    const code = pools.of(column).codeOf(text)
    if (code === undefined) return false
    const codes = chunk.valuesAt(index!)
    if (layout.width === 1) this.kernels.keepCodeEqual8(codes, source.rowCount, code, out)
    else if (layout.width === 2) this.kernels.keepCodeEqual16(codes, source.rowCount, code, out)
    else this.kernels.keepCodeEqual32(codes, source.rowCount, code, out)
    return true
  }

  private compare(leaf: Leaf, source: ResidentSource, out: number): void {
    const { comparison, negated } = leaf
    const { chunk } = source.resident
    const index = chunk.layout.indexOf(comparison.column)
    if (index === undefined) {
      this.compareElsewhere(leaf, source, out)
      return
    }
    const validity = chunk.validityAt(index)
    if (comparison.operator === CompareOperator.IS_NULL) {
      this.fill(validity === 0 ? negated : true, source.rowCount, out)
      if (validity === 0) return
      this.kernels.bitmapAnd(out, validity, source.rowCount, out)
      if (!negated) this.kernels.bitmapNot(out, source.rowCount, out)
      return
    }
    if (isEmptyList(comparison)) {
      this.fill(negated, source.rowCount, out)
      return
    }
    this.compareValues(leaf, source, index, out)
    if (validity !== 0) this.kernels.bitmapAnd(out, validity, source.rowCount, out)
  }

  private compareValues(leaf: Leaf, source: ResidentSource, index: number, out: number): void {
    const { chunk } = source.resident
    const { type, width } = chunk.layout.columns[index]!
    const values = chunk.valuesAt(index)
    if (type === 'string') this.compareText(leaf, source, values, width, out)
    else if (type === 'bool') this.compareBooleans(leaf, source.rowCount, values, out)
    else this.compareNumbers(leaf, source, values, out)
  }

  private compareText(leaf: Leaf, source: ResidentSource, codes: number, width: number, out: number): void {
    const { comparison, negated } = leaf
    const pool = source.resident.pools.of(comparison.column)
    const { operator, values } = comparison
    const { kernels } = this
    const { rowCount } = source
    const isEqual = operator === CompareOperator.EQUAL || operator === CompareOperator.NOT_EQUAL
    if (isEqual && values.length === 1) {
      const wanted = pool.codeOf(String(scalarOf(values[0] as Value)))
      const not = (operator === CompareOperator.NOT_EQUAL) !== negated
      if (wanted === undefined) {
        this.fill(not, rowCount, out)
        return
      }
      if (width === 1) kernels.selectCodeEqual8(codes, rowCount, wanted, out)
      else if (width === 2) kernels.selectCodeEqual16(codes, rowCount, wanted, out)
      else kernels.selectCodeEqual32(codes, rowCount, wanted, out)
      if (not) kernels.bitmapNot(out, rowCount, out)
      return
    }
    const verdicts = this.verdictsOf(leaf, pool)
    if (width === 1) kernels.selectCodeIn8(codes, rowCount, verdicts, out)
    else if (width === 2) kernels.selectCodeIn16(codes, rowCount, verdicts, out)
    else kernels.selectCodeIn32(codes, rowCount, verdicts, out)
  }

  private verdictsOf({ comparison, negated, verdicts }: Leaf, pool: TextPool): number {
    const { size } = pool
    const known = verdicts.get(pool)
    if (known !== undefined && known.entries >= size) return known.pointer
    if (known !== undefined) this.scratch.free(known.pointer)
    const room = Math.max(size, 256)
    const pointer = this.scratch.allocate(room)
    const judged = this.scratch.bytesAt(pointer, room).fill(0)
    judgeTexts(comparison, negated, pool, judged)
    verdicts.set(pool, { pointer, entries: size })
    return pointer
  }

  private compareBooleans(
    { comparison, negated }: Leaf,
    rowCount: number,
    values: number,
    out: number,
  ): void {
    const verdicts = this.scratch.keep('verdicts of booleans', 256)
    const test = numberTest(comparison)
    this.scratch
      .bytesAt(verdicts, 256)
      .fill(0)
      .set([Number(test(0) !== negated), Number(test(1) !== negated)])
    this.kernels.selectCodeIn8(values, rowCount, verdicts, out)
  }

  private compareNumbers(
    { comparison, negated }: Leaf,
    source: ResidentSource,
    values: number,
    out: number,
  ): void {
    const { rowCount } = source
    const numbers = comparison.values.map((value) => Number(scalarOf(value)))
    if (comparison.operator !== CompareOperator.IN) {
      // The kernels' relations are numbered like the protocol's.
      const operator = negated ? NEGATED.get(comparison.operator) : comparison.operator
      this.kernels.selectF64(operator as KernelCompare, values, rowCount, numbers[0] ?? 0, out)
      return
    }
    if (numbers.length > EQUALS_MAX) {
      this.selectListed(source, values, new Set(numbers), out)
    } else {
      this.fill(false, rowCount, out)
      const one = this.scratch.keep('one of a list', bitmapBytes(CHUNK_ROWS_MAX))
      for (const number of numbers) {
        this.kernels.selectF64(CompareOperator.EQUAL, values, rowCount, number, one)
        this.kernels.bitmapOr(out, one, rowCount, out)
      }
    }
    if (negated) this.kernels.bitmapNot(out, rowCount, out)
  }

  private selectListed(
    { rowCount }: RowSource,
    values: number,
    listed: ReadonlySet<number>,
    out: number,
  ): void {
    this.fill(false, rowCount, out)
    const bits = this.scratch.bytesAt(out, bitmapBytes(rowCount))
    const numbers = this.scratch.doublesAt(values, rowCount)
    for (let row = 0; row < rowCount; row++) if (listed.has(numbers[row]!)) bits[row >>> 3]! |= 1 << (row & 7)
  }

  /** Ids, event times, and columns that these rows do not have: row by row, by the twin. */
  private compareElsewhere({ comparison, negated }: Leaf, source: ResidentSource, out: number): void {
    const { rowCount } = source
    const filter = { kind: { case: 'comparison', value: comparison } } as Filter
    const verdicts = evaluateFilter(filter, source.column, rowCount)
    const wanted = negated ? 1 - TRUE : TRUE
    this.fill(false, rowCount, out)
    const bits = this.scratch.bytesAt(out, bitmapBytes(rowCount))
    for (let row = 0; row < rowCount; row++) if (verdicts[row] === wanted) bits[row >>> 3]! |= 1 << (row & 7)
  }

  private fill(all: boolean, rowCount: number, out: number): void {
    if (all) this.kernels.bitmapFill(rowCount, out)
    else this.scratch.bytesAt(out, bitmapBytes(rowCount)).fill(0)
  }
}

/** A list is looked up text by text; any other comparison is asked of every text. */
function judgeTexts(comparison: Comparison, negated: boolean, pool: TextPool, judged: Uint8Array): void {
  if (comparison.operator === CompareOperator.IN) {
    judged.fill(negated ? 1 : 0)
    for (const value of comparison.values) {
      const code = pool.codeOf(String(scalarOf(value)))
      if (code !== undefined) judged[code] = negated ? 0 : 1
    }
    return
  }
  const test = textTest(comparison)
  for (let code = 0; code < pool.size; code++) {
    const text = pool.at(code)
    judged[code] = text !== undefined && test(text) !== negated ? 1 : 0
  }
}

/** The one text that an operand asks for. */
function wantedText(node: Node): string | undefined {
  if (node.kind !== 'leaf' || node.negated || node.comparison.operator !== CompareOperator.EQUAL)
    return undefined
  const wanted =
    node.comparison.values.length === 1 ? scalarOf(node.comparison.values[0] as Value) : undefined
  return typeof wanted === 'string' ? wanted : undefined
}

const isEmptyList = ({ operator, values }: Comparison): boolean =>
  operator === CompareOperator.IN && values.length === 0

/** De Morgan's laws hold for three values as well: NOT ends at the comparisons. */
function nodeOf({ kind }: Filter, negated: boolean): Node {
  switch (kind.case) {
    case 'and':
    case 'or': {
      const operands = kind.value.operands.map((operand) => nodeOf(operand, negated))
      return { kind: (kind.case === 'and') === negated ? 'or' : 'and', operands }
    }
    case 'not':
      return nodeOf(kind.value, !negated)
    case 'comparison':
      return { kind: 'leaf', comparison: kind.value, negated, verdicts: new Map() }
    default:
      return { kind: negated ? 'or' : 'and', operands: [] }
  }
}
