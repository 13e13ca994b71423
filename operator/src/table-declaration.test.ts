import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { Value } from 'typebox/value'
import { tableDeclaration } from './table-declaration.ts'
import { tableOf } from './testing/any-table.ts'

test('tableDeclaration: every field of the spec in the units of the data plane', () => {
  assert.deepEqual(tableDeclaration(tableOf()), {
    namespace: 'production',
    name: 'events',
    columns: [
      { name: 'region', type: 'string', nullable: false },
      { name: 'items', type: 'int64', nullable: true },
    ],
    timeColumn: 'event_time_us',
    idColumn: 'event_id',
    partitionBy: ['region'],
    slots: 8,
    retentionUs: 3_600_000_000,
    allowedLatenessUs: 10_000_000,
    dedupWindowUs: 600_000_000,
    maxFutureSkewUs: 60_000_000,
    idleTimeoutUs: 1_000_000,
    onMemoryFull: 'Evict',
  })
})

test('tableDeclaration: rollups by the names of their steps', () => {
  const rollups = [{ dimensions: ['region'], metrics: ['items'], granularity: '10m' }]
  assert.deepEqual(tableDeclaration(tableOf({ rollups })).rollups, [
    { dimensions: ['region'], metrics: ['items'], granularityUs: 600_000_000 },
  ])
})

test('tableDeclaration: with its version it is a TableDefinition of the contracts', () => {
  const { partitionBy: _, ...spec } = tableOf().spec
  for (const table of [tableOf(), { ...tableOf(), spec }])
    assert.deepEqual([...Value.Errors(TableDefinition, { ...tableDeclaration(table), version: 1 })], [])
})

test('tableDeclaration: the generation, labels and status of the object do not change it', () => {
  const other = {
    ...tableOf({}, { generation: 7, uid: 'another', labels: { a: 'b' } }),
    status: { version: 9 },
  }
  assert.deepEqual(tableDeclaration(other), tableDeclaration(tableOf()))
})

test('tableDeclaration: a duration that is none is refused', () => {
  assert.throws(() => tableDeclaration(tableOf({ retention: 'long' })), RangeError)
})
