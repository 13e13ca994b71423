import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type AggregateCall,
  AggregateCallSchema,
  AggregateFunction,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import { aggregateReader, type FinalValue } from '../../plan/finalize-aggregate.ts'
import type { Accumulator } from '../accumulator.ts'

/** What an aggregate finally says of each group. */
export function finalValues(
  name: keyof typeof AggregateFunction,
  accumulator: Accumulator,
  groups: number,
  more: MessageInitShape<typeof AggregateCallSchema> = {},
): FinalValue[] {
  const state = new Map(accumulator.columns(groups).map((named) => [named.name, named.column]))
  const call: AggregateCall = create(AggregateCallSchema, {
    ...more,
    function: AggregateFunction[name],
    column: 'any',
  })
  const read = aggregateReader(
    call,
    (part) => state.get(part) as Column,
    () => {},
  )
  return Array.from({ length: groups }, (_, group) => read(group))
}
