import { decodeEventId } from '@truenow/contracts/event-id.ts'
import { type AggregateCall, AggregateFunction } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { type Column, isValid, valueAt } from '@truenow/contracts/wire/column.ts'
import { decodeHyperLogLog } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import type { StatePart } from '@truenow/contracts/wire/partial-result-v1.ts'
import { scalarListCount } from '@truenow/contracts/wire/scalar-list-v1.ts'
import { decodeTDigest } from '@truenow/contracts/wire/t-digest-v1.ts'
import { decodeTopK, topKType } from '@truenow/contracts/wire/top-k-v1.ts'
import { stateColumn } from '../aggregates/state-column.ts'
import { estimateHyperLogLog } from '../sketches/hyperloglog.ts'
import { quantileOfTDigest } from '../sketches/t-digest.ts'
import { type TopEntry, topEntries } from '../sketches/top-k.ts'

/** What TOP_K answers: values with their counts, the most frequent first. */
export type FinalList = readonly TopEntry<string | number | boolean>[]
export type FinalValue = string | number | boolean | bigint | null | FinalList
export type ReadFinal = (row: number) => FinalValue
type State = (part: StatePart) => Column

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** Reads a column as final values: ids as text. */
export function readerOf(column: Column): ReadFinal {
  if (column.type === 'id128') {
    return (row) => (isValid(column, row) ? decodeEventId(column.values, row * 16) : null)
  }
  return (row) => valueAt(column, row)
}

/** Reads the final value of one aggregate from its merged state; `overflow` is told when a value left its type. */
export function aggregateReader(call: AggregateCall, state: State, overflow: () => void): ReadFinal {
  switch (call.function) {
    case AggregateFunction.COUNT:
      return readerOf(state('count'))
    case AggregateFunction.MIN:
    case AggregateFunction.MAX:
    case AggregateFunction.FIRST:
    case AggregateFunction.LAST:
      return readerOf(state('value'))
    case AggregateFunction.VAR_POP:
      return varianceReader(state, { sample: false, root: false }, overflow)
    case AggregateFunction.VAR_SAMP:
      return varianceReader(state, { sample: true, root: false }, overflow)
    case AggregateFunction.STDDEV_POP:
      return varianceReader(state, { sample: false, root: true }, overflow)
    case AggregateFunction.STDDEV_SAMP:
      return varianceReader(state, { sample: true, root: true }, overflow)
    case AggregateFunction.SUM:
      return sumReader(state, false, overflow)
    case AggregateFunction.AVG:
      return sumReader(state, true, overflow)
    case AggregateFunction.COUNT_DISTINCT:
      return sketchReader(state, (bytes) => scalarListCount(bytes))
    case AggregateFunction.APPROX_COUNT_DISTINCT:
      return sketchReader(state, (bytes) => Math.round(estimateHyperLogLog(decodeHyperLogLog(bytes))))
    case AggregateFunction.QUANTILE:
      return sketchReader(state, (bytes) => quantileOfTDigest(decodeTDigest(bytes), call.quantile))
    case AggregateFunction.TOP_K:
      return sketchReader(state, (bytes) => topList(bytes, call.k))
    default:
      throw new TypeError(`aggregate ${call.function} cannot be finished`)
  }
}

function sketchReader(state: State, read: (bytes: Uint8Array) => FinalValue): ReadFinal {
  const sketches = stateColumn(state as (part: string) => Column, 'sketch', 'bytes').values
  return (row) => read(sketches[row]!)
}

function topList(bytes: Uint8Array, k: number): FinalList {
  const type = topKType(bytes)
  const entries = topEntries(decodeTopK(type, bytes), k)
  return type === 'bool' ? entries.map((entry) => ({ ...entry, value: entry.value === 1 })) : entries
}

function sumReader(state: State, mean: boolean, overflow: () => void): ReadFinal {
  const [sums, counts] = [state('sum'), state('count')]
  const compensations = sums.type === 'float64' ? state('compensation') : undefined
  return (row) => {
    const count = Number(valueAt(counts, row))
    if (count === 0) return null
    if (sums.type === 'int128') {
      const sum = sums.values.at(row) ?? 0n
      if (mean) return meanOf(sum, count)
      if (sum <= INT64_MAX && sum >= INT64_MIN) return sum
      overflow()
      return null
    }
    const sum =
      Number(valueAt(sums, row)) + Number(compensations === undefined ? 0 : valueAt(compensations, row))
    const value = mean ? sum / count : sum
    if (Number.isFinite(value)) return value
    overflow()
    return null
  }
}

/** An exact sum divided once: the integer part apart, so that a large sum loses nothing before the division. */
function meanOf(sum: bigint, count: number): number {
  const divisor = BigInt(count)
  return Number(sum / divisor) + Number(sum % divisor) / count
}

/** As SQL has it: over no values null, and over one value the sample forms too. */
function varianceReader(
  state: State,
  { sample, root }: Readonly<{ sample: boolean; root: boolean }>,
  overflow: () => void,
): ReadFinal {
  const [counts, m2s] = [state('count'), state('m2')]
  return (row) => {
    const divisor = Number(valueAt(counts, row)) - (sample ? 1 : 0)
    if (divisor <= 0) return null
    const variance = Number(valueAt(m2s, row)) / divisor
    if (Number.isFinite(variance)) return root ? Math.sqrt(variance) : variance
    overflow()
    return null
  }
}
