import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { Chunk } from '../columns/chunk.ts'
import type { TextPools } from '../columns/text-pool.ts'
import type { Resident, Rollup, RowSource } from '../plan/row-source.ts'

/** A chunk's rows as they are now. What kernels do not need (times and row numbers as doubles) is made when it is asked for. */
export class ChunkSource implements RowSource {
  readonly slot: number
  readonly rowCount: number
  readonly timeUsMin: number
  readonly timeUsMax: number
  readonly resident: Resident
  readonly rollup: Rollup | undefined
  private readonly definition: TableDefinition
  /** Made when a column is asked for: kernels mostly read the chunk. */
  private columns: Map<string, Column | undefined> | undefined
  private doubles: Float64Array | undefined
  private numbers: Float64Array | undefined

  constructor(
    slot: number,
    chunk: Chunk,
    startUs: number,
    pools: TextPools,
    definition: TableDefinition,
    rollup?: Rollup,
  ) {
    this.slot = slot
    this.rowCount = chunk.rowCount
    this.timeUsMin = startUs + chunk.timeMin
    this.timeUsMax = startUs + chunk.timeMax
    this.resident = { chunk, startUs, pools }
    this.definition = definition
    this.rollup = rollup
  }

  get times(): Float64Array {
    if (this.doubles === undefined) {
      const { chunk, startUs } = this.resident
      const times = chunk.times()
      this.doubles = times instanceof Float64Array ? times : above(startUs, times, this.rowCount)
    }
    return this.doubles
  }

  get rowNumbers(): Float64Array {
    this.numbers ??= this.resident.chunk.rowNumbers(this.rowCount)
    return this.numbers
  }

  readonly column = (name: string): Column | undefined => {
    this.columns ??= new Map()
    if (!this.columns.has(name)) this.columns.set(name, this.view(name))
    return this.columns.get(name)
  }

  private view(name: string): Column | undefined {
    const { chunk, pools } = this.resident
    if (name === this.definition.timeColumn) return { type: 'timestamp', values: this.times }
    if (name === this.definition.idColumn) return { type: 'id128', values: chunk.ids() }
    const index = chunk.layout.indexOf(name)
    if (index === undefined) return undefined
    const bits = chunk.validity(index)
    const validity = bits === undefined ? {} : { validity: bits }
    const values = chunk.values(index)
    const { type } = chunk.layout.columns[index]!
    if (type === 'string')
      return { type, codes: values as Uint8Array, dictionary: pools.of(name), ...validity }
    if (type === 'bool') return { type, values: values as Uint8Array, ...validity }
    return { type, values: values as Float64Array, ...validity }
  }
}

/** The first `count` offsets, from their base, as doubles. */
function above(base: number, offsets: Uint32Array, count: number): Float64Array {
  const values = new Float64Array(count)
  for (let row = 0; row < count; row++) values[row] = base + offsets[row]!
  return values
}
