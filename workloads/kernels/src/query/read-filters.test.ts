import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, toJson } from '@bufbuild/protobuf'
import { FilterSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { readFilters } from './read-filters.ts'
import type { QueryColumn } from './table-columns.ts'

const columns = new Map<string, QueryColumn>(
  (
    [
      { name: 'region', type: 'string', nullable: true },
      { name: 'items', type: 'int64', nullable: true },
      { name: 'event_id', type: 'id', nullable: false },
    ] as const
  ).map((column) => [column.name, column]),
)
const json = (filters: unknown) => {
  const filter = readFilters(filters, columns)
  return filter === undefined ? undefined : toJson(FilterSchema, create(FilterSchema, filter))
}
const comparison = (column: string, operator: string, ...values: object[]) => ({
  comparison: {
    column,
    operator: `COMPARE_OPERATOR_${operator}`,
    ...(values.length === 0 ? {} : { values }),
  },
})
const isNull = comparison('region', 'IS_NULL')
const text = (stringValue: string) => ({ stringValue })

const cases: ReadonlyArray<[name: string, filters: unknown, expected: unknown]> = [
  ['none', undefined, undefined],
  ['empty', {}, undefined],
  ['value', { region: 'a' }, comparison('region', 'EQUAL', text('a'))],
  ['null', { region: null }, isNull],
  ['list', { region: ['a', 'b'] }, comparison('region', 'IN', text('a'), text('b'))],
  ['empty list', { region: [] }, comparison('region', 'IN')],
  [
    'list with null',
    { region: ['a', null] },
    { or: { operands: [comparison('region', 'IN', text('a')), isNull] } },
  ],
  ['not null', { region: { ne: null } }, { not: isNull }],
  ['id', { event_id: { in: ['x'] } }, comparison('event_id', 'IN', text('x'))],
  [
    'range',
    { items: { gte: 1, lt: 9 } },
    {
      and: {
        operands: [
          comparison('items', 'GREATER_OR_EQUAL', { int64Value: '1' }),
          comparison('items', 'LESS', { int64Value: '9' }),
        ],
      },
    },
  ],
  [
    'tree beside columns',
    { region: 'a', not: { items: 1 } },
    {
      and: {
        operands: [
          comparison('region', 'EQUAL', text('a')),
          { not: comparison('items', 'EQUAL', { int64Value: '1' }) },
        ],
      },
    },
  ],
  ['or of one', { or: [{ region: 'a' }] }, { or: { operands: [comparison('region', 'EQUAL', text('a'))] } }],
  [
    'text that looks like SQL is text',
    { region: "'; drop table events; --" },
    comparison('region', 'EQUAL', text("'; drop table events; --")),
  ],
]
for (const [name, filters, expected] of cases) {
  test(`readFilters: ${name}`, () => assert.deepEqual(json(filters), expected))
}
