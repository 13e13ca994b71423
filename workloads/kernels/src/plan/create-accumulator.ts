import { TrueNowError } from '@truenow/contracts/errors.ts'
import { type AggregateCall, AggregateFunction } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import type { Accumulator } from '../aggregates/accumulator.ts'
import { approxCountDistinctAccumulator } from '../aggregates/approx-count-distinct.ts'
import { countAccumulator } from '../aggregates/count.ts'
import { countDistinctAccumulator } from '../aggregates/count-distinct.ts'
import { extremeAccumulator } from '../aggregates/extreme.ts'
import { firstLastAccumulator } from '../aggregates/first-last.ts'
import { quantileAccumulator } from '../aggregates/quantile.ts'
import type { StateBudget } from '../aggregates/state-budget.ts'
import { sumFloatsAccumulator } from '../aggregates/sum-floats.ts'
import { sumIntegersAccumulator } from '../aggregates/sum-integers.ts'
import { topKAccumulator } from '../aggregates/top-k.ts'
import { varianceAccumulator } from '../aggregates/variance.ts'

/** What the states of one query may take together. */
export type StateBudgets = Readonly<{ values: StateBudget; bytes: StateBudget }>

/**
 * The accumulator of one call over a column of type `type`; undefined: over rows, which only COUNT can.
 * Errors: TN_QUERY_INVALID for a call that this version does not know or that has no meaning.
 */
export function createAccumulator(
  call: AggregateCall,
  type: ColumnType | undefined,
  budgets: StateBudgets,
): Accumulator {
  const { function: aggregate } = call
  if (aggregate === AggregateFunction.COUNT) return countAccumulator(type === undefined)
  if (type === undefined) throw new TrueNowError('TN_QUERY_INVALID', `Aggregate ${aggregate} needs a column.`)
  switch (aggregate) {
    case AggregateFunction.SUM:
    case AggregateFunction.AVG:
      return type === 'float64' ? sumFloatsAccumulator() : sumIntegersAccumulator()
    case AggregateFunction.MIN:
      return extremeAccumulator(type, -1)
    case AggregateFunction.MAX:
      return extremeAccumulator(type, 1)
    case AggregateFunction.VAR_POP:
    case AggregateFunction.VAR_SAMP:
    case AggregateFunction.STDDEV_POP:
    case AggregateFunction.STDDEV_SAMP:
      return varianceAccumulator()
    case AggregateFunction.FIRST:
      return firstLastAccumulator(type, -1)
    case AggregateFunction.LAST:
      return firstLastAccumulator(type, 1)
    case AggregateFunction.COUNT_DISTINCT:
      return countDistinctAccumulator(type, budgets)
    case AggregateFunction.APPROX_COUNT_DISTINCT:
      return approxCountDistinctAccumulator(budgets.bytes)
    case AggregateFunction.QUANTILE:
      return quantileAccumulator(budgets.bytes)
    case AggregateFunction.TOP_K:
      return topKAccumulator(type, budgets.bytes)
    default:
      throw new TrueNowError('TN_QUERY_INVALID', `Aggregate ${aggregate} is not known here.`)
  }
}
