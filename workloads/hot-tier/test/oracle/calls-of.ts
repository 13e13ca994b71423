import type { QueryStatement } from '@truenow/contracts/query-statement.ts'

export type Call = NonNullable<QueryStatement['aggregates']>[number]

/** The aggregates of a statement, in either of the forms that it may have; none: it asks for rows. */
export function callsOf({ aggregate, aggregates, metric, q, k }: QueryStatement): readonly Call[] {
  if (aggregate === undefined) return aggregates ?? []
  return [
    {
      aggregate,
      ...(metric === undefined ? {} : { metric }),
      ...(q === undefined ? {} : { q }),
      ...(k === undefined ? {} : { k }),
    },
  ]
}

/** The name of the column that a call makes (README of query). */
export const outputName = ({ aggregate, metric, as }: Call): string =>
  as ?? (metric === undefined ? aggregate : `${aggregate}_${metric}`)
