import {
  type AggregateCall,
  AggregateFunction,
  type AggregatePlan,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ColumnBatch, NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import {
  aggregateColumnName,
  keyColumnName,
  type StatePart,
} from '@truenow/contracts/wire/partial-result-v1.ts'
import type { Accumulator } from '../aggregates/accumulator.ts'
import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'
import type { Selection } from '../filters/select-rows.ts'
import type { Kernels } from '../simd/kernels.ts'
import { CellDigests } from './cell-digests.ts'
import { CellEnds } from './cell-ends.ts'
import type { CellPart } from './cell-part.ts'
import { CellRegisters } from './cell-registers.ts'
import { CellStates, type StateNeed, stateOf } from './cell-states.ts'
import { createAccumulator, type StateBudgets } from './create-accumulator.ts'
import { GroupNumbers } from './group-keys.ts'
import { budgetsOf, groupsLimitError, typeOf } from './group-table.ts'
import { type CellKey, ScalarKey, selectedRows, TextKey, type TimeBounds, timeKey } from './key-cells.ts'
import { countsTextsOnce, type GroupedRows, OncePerGroup } from './once-per-group.ts'
import type { ResidentSource } from './row-source.ts'
import type { Scratch } from './scratch.ts'
import { type PlainKey, type SumKeys, writeSumKeys } from './sum-keys.ts'

/** Cells that are numbered by the codes of their keys; beyond it, groups are numbered as they appear. */
const CELLS_MAX = 1 << 21
/** The same over few rows: most combinations of keys would be empty, and making their cells would cost more than the rows. */
const CELLS_A_ROW = 4
const CELLS_OF_FEW_ROWS_MAX = 1 << 14

/**
 * The groups of an aggregate plan over chunks in an arena, by kernels: each combination of key codes is a cell, and the
 * states of a cell stand beside those of the others. Calls that kernels do not have go by their accumulators.
 * Twin: group-table.ts, for any rows; a property test holds them equal.
 */
export class KernelGroups {
  private readonly plan: AggregatePlan
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly definition: TableDefinition
  private readonly keys: readonly CellKey[]
  private readonly states: CellPart[] = []
  /** Of each call: its states by cell, or its accumulator. */
  private readonly parts: ReadonlyArray<CellPart | Accumulator>
  private readonly rowCounts: CellStates
  /** Codes that each key has room for; a cell is their mixed-radix number. Undefined: `numbers` tells groups apart. */
  private capacities: number[] | undefined
  private cells = 1
  private readonly cellsMax: number
  private readonly numbers = new GroupNumbers()
  /** Accumulators count groups from 0: number by cell, and cell by number. */
  private numberOfCell = new Int32Array(1).fill(-1)
  private cellOfNumber: number[] = []
  /** By call: the texts that its groups have had. */
  private readonly once: OncePerGroup[] = []

  constructor(
    plan: AggregatePlan,
    definition: TableDefinition,
    kernels: Kernels,
    scratch: Scratch,
    { bounds, sources }: Readonly<{ bounds: TimeBounds; sources: readonly ResidentSource[] }>,
  ) {
    this.plan = plan
    this.kernels = kernels
    this.scratch = scratch
    this.definition = definition
    this.keys = plan.keys.map(({ kind }) => {
      if (kind.case === 'timeBucketUs') return timeKey(Number(kind.value), bounds, kernels, scratch)
      const name = String(kind.value)
      const isText = definition.columns.some((column) => column.name === name && column.type === 'string')
      if (isText) return new TextKey(name, sources[0]!.resident.pools.of(name), sources, kernels, scratch)
      return new ScalarKey(name, typeOf(definition, name), scratch)
    })
    const budgets = budgetsOf(plan)
    const needs = plan.aggregates.map((call) => stateOf(call, definition))
    // Where no value is null, whatever is counted beside a sum or an extreme is the number of rows.
    const counted = needs.find(
      (need) => need !== undefined && need.kind !== 'counts' && isWhole(need, sources),
    )
    const rowsNeed: StateNeed = counted ?? { kind: 'counts', column: '', type: 'int64' }
    this.parts = plan.aggregates.map((call, index) => {
      const need = needs[index]
      if (need === undefined) return this.otherPart(call, budgets)
      return this.stateFor(need.kind === 'counts' && isWhole(need, sources) ? rowsNeed : need)
    })
    this.rowCounts = this.stateFor(rowsNeed)
    const rows = sources.reduce((sum, { rowCount }) => sum + rowCount, 0)
    this.cellsMax = Math.min(CELLS_MAX, Math.max(CELLS_OF_FEW_ROWS_MAX, CELLS_A_ROW * rows))
    this.capacities = this.keys.map(() => 1)
    this.reserve()
    if (this.keys.length === 0) this.numberOf(0)
  }

  /** Adds the selected rows of a chunk, one of the sources. Errors: TN_QUERY_LIMIT (groups), TN_MEMORY_FULL. */
  update(source: ResidentSource, selection: Selection): void {
    if (selection.count === 0) return
    let held: Uint32Array | undefined
    const rows = () => {
      held ??= selectedRows(selection, source.rowCount, this.kernels, this.scratch)
      return held
    }
    for (const key of this.keys) key.learn(source, selection, rows)
    this.fitKeys()
    const plain = this.plainKeys(source)
    const direct = plain?.length === 1 && plain[0]!.kind === 1 ? plain[0]!.at : undefined
    const sumKeys = direct === undefined && plain !== undefined ? this.sumKeysOf(plain) : undefined
    let groups: number | undefined
    const groupsOf = () => {
      groups ??= this.keys.length === 0 ? 0 : this.groupsOf(source, rows)
      return groups
    }
    if (this.capacities === undefined) groupsOf()
    for (const state of this.states) {
      if (direct !== undefined && state instanceof CellStates && state.isDirect) {
        state.updateDirect(source, selection, direct)
      } else if (sumKeys !== undefined && state instanceof CellStates) {
        state.updateByKeys(source, selection, sumKeys)
      } else if (!(state instanceof CellEnds && state.isPast(source, this.groupsMost))) {
        state.update(source, selection, groupsOf())
      }
    }
    if (this.parts.some(isAccumulator)) this.accumulate(source, rows(), groupsOf())
    this.limit(this.capacities === undefined ? this.numbers.count : this.cellOfNumber.length)
  }

  /** The partial result. Errors: TN_QUERY_LIMIT. */
  batch(): ColumnBatch {
    const cells = this.inMergeOrder(this.presentCells())
    this.limit(cells.length)
    const columns: NamedColumn[] = this.keys.map((key, index) => ({
      name: keyColumnName(index),
      column: key.columnOf(this.codesOfKey(index, cells)),
    }))
    for (const [index, part] of this.parts.entries()) {
      for (const { name, column } of this.stateColumns(index, part, cells)) {
        columns.push({ name: aggregateColumnName(index, name as StatePart), column })
      }
    }
    return { rowCount: cells.length, columns }
  }

  private stateColumns(index: number, part: CellPart | Accumulator, cells: Uint32Array) {
    return isAccumulator(part)
      ? part.columns(cells.length)
      : part.columns(this.plan.aggregates[index]!, cells)
  }

  private stateFor(need: StateNeed): CellStates {
    const same = (state: CellPart): state is CellStates =>
      state instanceof CellStates && state.kind === need.kind && state.column === need.column
    const known = this.states.find(same)
    if (known !== undefined) return known
    const state = new CellStates(need, this.kernels, this.scratch)
    this.states.push(state)
    return state
  }

  /** What is no number of a cell: sketches and ends where kernels have them, else an accumulator. */
  private otherPart(call: AggregateCall, budgets: StateBudgets): CellPart | Accumulator {
    const { function: aggregate, column } = call
    const type = this.definition.columns.find(({ name }) => name === column)?.type
    let part: CellPart | undefined
    if (aggregate === AggregateFunction.APPROX_COUNT_DISTINCT && CellRegisters.takes(type)) {
      part = new CellRegisters(column, budgets.bytes, this.kernels, this.scratch)
    } else if (aggregate === AggregateFunction.QUANTILE && CellDigests.takes(type)) {
      part = new CellDigests(column, budgets.bytes, this.kernels, this.scratch)
    } else if (
      type !== undefined &&
      (aggregate === AggregateFunction.FIRST || aggregate === AggregateFunction.LAST)
    ) {
      part = new CellEnds(call, type, this.kernels, this.scratch)
    }
    if (part === undefined)
      return createAccumulator(call, column === '' ? undefined : typeOf(this.definition, column), budgets)
    this.states.push(part)
    return part
  }

  /** Groups that rows of any source can be in by now, at most. */
  private get groupsMost(): number {
    return this.keys.reduce((most, { codesMost }) => most * codesMost, 1)
  }

  private reserve(): void {
    for (const state of this.states) state.reserve(this.cells)
    if (this.numberOfCell.length >= this.cells) return
    const larger = new Int32Array(this.cells).fill(-1)
    larger.set(this.numberOfCell)
    this.numberOfCell = larger
  }

  /** Gives each key room for the codes that it has by now, or goes over to numbering groups. */
  private fitKeys(): void {
    const { capacities } = this
    if (capacities === undefined || this.keys.every(({ size }, index) => size <= capacities[index]!)) return
    const wanted = this.keys.map(({ size }, index) =>
      size <= capacities[index]! ? capacities[index]! : 2 ** Math.ceil(Math.log2(size)),
    )
    const cells = wanted.reduce((product, capacity) => product * capacity, 1)
    if (cells > this.cellsMax) this.numberGroups()
    else this.relocate(cells, wanted)
  }

  private relocate(cells: number, wanted: number[]): void {
    const before = this.cells
    const all = upTo(before)
    const places = new Uint32Array(before)
    for (const [index, capacity] of wanted.entries()) {
      const codes = this.codesOfKey(index, all)
      for (let cell = 0; cell < before; cell++) places[cell] = places[cell]! * capacity + codes[cell]!
    }
    for (const state of this.states) state.move(cells, (cell) => places[cell]!, before)
    this.cellOfNumber = this.cellOfNumber.map((cell) => places[cell]!)
    this.numberOfCell = new Int32Array(cells).fill(-1)
    for (const [number, cell] of this.cellOfNumber.entries()) this.numberOfCell[cell] = number
    this.cells = cells
    this.capacities = wanted
  }

  /** From cells by codes to groups by appearance. Those that accumulators number keep their numbers. */
  private numberGroups(): void {
    const present = this.presentCells()
    this.numbers.number(
      this.keys.map((_, index) => this.codesOfKey(index, present)),
      present.length,
    )
    const places = new Int32Array(this.cells).fill(-1)
    for (const [number, cell] of present.entries()) places[cell] = number
    const cells = Math.max(1, present.length)
    for (const state of this.states) state.move(cells, (cell) => places[cell]!, this.cells)
    this.cells = cells
    this.capacities = undefined
  }

  /** Group of each selected row, u32 a row. */
  private groupsOf(source: ResidentSource, rows: () => Uint32Array): number {
    const out = this.scratch.keep('groups', CHUNK_ROWS_MAX * 4)
    const { capacities } = this
    if (capacities !== undefined) {
      for (const [index, key] of this.keys.entries())
        key.write(source, index === 0 ? 0 : capacities[index]!, out)
      return out
    }
    const selected = rows()
    const target = this.scratch.wordsAt(out, source.rowCount)
    const codes = this.keys.map((key) => {
      key.write(source, 0, out)
      return Uint32Array.from(selected, (row) => target[row]!)
    })
    const groups = this.numbers.number(codes, selected.length)
    for (let index = 0; index < selected.length; index++) target[selected[index]!] = groups[index]!
    this.cells = Math.max(1, this.numbers.count)
    this.limit(this.numbers.count)
    for (const state of this.states) state.reserve(this.cells)
    return out
  }

  /** The keys of a source, where kernels can number its rows by themselves; else undefined. */
  private plainKeys(source: ResidentSource): readonly PlainKey[] | undefined {
    // Groups that are numbered as they appear have no cell by code.
    if (this.capacities === undefined || this.keys.length === 0) return undefined
    const plain: PlainKey[] = []
    for (const key of this.keys) {
      const one = key.plainOf?.(source)
      if (one === undefined) return undefined
      plain.push(one)
    }
    return plain
  }

  /** Keys for the one state of a plan, where it takes them; what is needed twice is numbered once, by `groupsOf`. */
  private sumKeysOf(plain: readonly PlainKey[]): SumKeys | undefined {
    const [only, ...others] = this.states
    if (others.length > 0 || !(only instanceof CellStates) || !only.takesKeys) return undefined
    return writeSumKeys(plain, this.capacities!, this.scratch)
  }

  private accumulate(source: ResidentSource, rows: Uint32Array, groups: number): void {
    const numbers = new Uint32Array(rows.length)
    if (groups !== 0) {
      const cells = this.scratch.wordsAt(groups, source.rowCount)
      for (let index = 0; index < rows.length; index++) {
        const cell = cells[rows[index]!]!
        numbers[index] = this.capacities === undefined ? cell : this.numberOf(cell)
      }
    }
    const count = this.capacities === undefined ? this.cells : this.cellOfNumber.length
    for (const [index, call] of this.plan.aggregates.entries()) {
      const part = this.parts[index]!
      if (!isAccumulator(part)) continue
      const column = call.column === '' ? undefined : source.column(call.column)
      part.reserve(count)
      let some: GroupedRows = { rows, groups: numbers, count: rows.length }
      if (column?.type === 'string' && countsTextsOnce(call)) some = this.onceOf(index).filter(column, some)
      part.update(column, some.rows, some.groups, some.count, source)
    }
  }

  private onceOf(index: number): OncePerGroup {
    this.once[index] ??= new OncePerGroup()
    return this.once[index]
  }

  private numberOf(cell: number): number {
    let number = this.numberOfCell[cell]!
    if (number < 0) {
      number = this.cellOfNumber.length
      this.numberOfCell[cell] = number
      this.cellOfNumber.push(cell)
    }
    return number
  }

  /** Cells that have rows; where accumulators number them, in the order of their numbers. */
  private presentCells(): Uint32Array {
    if (this.capacities === undefined) return upTo(this.numbers.count)
    if (this.keys.length === 0) return Uint32Array.of(0)
    if (this.cellOfNumber.length > 0) return Uint32Array.from(this.cellOfNumber)
    return this.rowCounts.present(this.cells)
  }

  /** Cells of one key are its codes, in whatever order; accumulators have theirs. */
  private inMergeOrder(cells: Uint32Array): Uint32Array {
    const [key, ...others] = this.keys
    const isFree = this.capacities !== undefined && this.cellOfNumber.length === 0
    return (isFree && others.length === 0 ? key?.inMergeOrder?.(cells) : undefined) ?? cells
  }

  /** Code of one key in each of the cells. */
  private codesOfKey(index: number, cells: ArrayLike<number>): Uint32Array {
    const codes = new Uint32Array(cells.length)
    const { capacities } = this
    if (capacities === undefined) {
      const held = this.numbers.codesOf(index)
      for (let at = 0; at < codes.length; at++) codes[at] = held[cells[at]!]!
      return codes
    }
    const capacity = capacities[index]!
    const below = capacities.slice(index + 1).reduce((product, one) => product * one, 1)
    // Both are powers of two.
    const [shift, mask] = [31 - Math.clz32(below), capacity - 1]
    for (let at = 0; at < codes.length; at++) codes[at] = (cells[at]! >>> shift) & mask
    return codes
  }

  private limit(groups: number): void {
    const { groupsMax } = this.plan
    if (groupsMax > 0 && groups > groupsMax) throw groupsLimitError(groupsMax)
  }
}

function upTo(count: number): Uint32Array {
  const numbers = new Uint32Array(count)
  for (let number = 0; number < count; number++) numbers[number] = number
  return numbers
}

const isAccumulator = (part: CellPart | Accumulator): part is Accumulator => !('move' in part)

/** Whether every row of the sources has a value of the column; of rows themselves they have. */
function isWhole({ column }: StateNeed, sources: readonly ResidentSource[]): boolean {
  if (column === '') return true
  return sources.every(({ resident: { chunk } }) => {
    const index = chunk.layout.indexOf(column)
    return index !== undefined && !chunk.layout.columns[index]!.hasValidity
  })
}
