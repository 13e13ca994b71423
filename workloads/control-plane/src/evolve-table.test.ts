import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnDefinition, TableDefinition } from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'
import { evolveTable } from './evolve-table.ts'
import type { TableDeclaration } from './table-declaration.ts'

const column = (
  name: string,
  type: ColumnDefinition['type'] = 'int64',
  nullable = true,
): ColumnDefinition => ({
  name,
  type,
  nullable,
})
const declared: TableDeclaration = {
  namespace: 'production',
  name: 'events',
  columns: [column('region', 'string', false), column('items')],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: ['region'],
  slots: 8,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 10_000_000,
  dedupWindowUs: 600_000_000,
  maxFutureSkewUs: 5_000_000,
  idleTimeoutUs: 5_000_000,
  onMemoryFull: 'Evict',
}
const current: TableDefinition = { ...declared, version: 3 }

test('evolveTable: the same again changes nothing', () => {
  assert.deepEqual(evolveTable(current, declared), { kind: 'unchanged' })
})

test('evolveTable: a column that is not declared any more stays where it was', () => {
  assert.deepEqual(evolveTable(current, { ...declared, columns: [column('items')] }), { kind: 'unchanged' })
  const evolution = evolveTable(current, { ...declared, columns: [column('price', 'float64')] })
  assert.ok(evolution.kind === 'changed')
  assert.deepEqual(
    evolution.definition.columns.map(({ name }) => name),
    ['region', 'items', 'price'],
  )
  assert.equal(evolution.definition.version, 4)
  assert.deepEqual(evolution.changes, ['column price (float64) added'])
})

test('evolveTable: durations change as a new version', () => {
  const evolution = evolveTable(current, { ...declared, retentionUs: 7_200_000_000 })
  assert.ok(evolution.kind === 'changed')
  assert.equal(evolution.definition.retentionUs, 7_200_000_000)
  assert.deepEqual(evolution.changes, ['retentionUs 3600000000 → 7200000000'])
})

test('evolveTable: rollups come and go as a new version, and their order means nothing', () => {
  const byRegion = { dimensions: ['region'], metrics: ['items'], granularityUs: 1_000_000 }
  const total = { dimensions: [], metrics: ['items'], granularityUs: 60_000_000 }
  const added = evolveTable(current, { ...declared, rollups: [byRegion, total] })
  assert.ok(added.kind === 'changed')
  assert.deepEqual(added.changes, [
    'rollup of items by region, 1000000 µs added',
    'rollup of items by 60000000 µs added',
  ])
  assert.deepEqual(added.definition.rollups, [byRegion, total])
  const { definition } = added
  assert.deepEqual(evolveTable(definition, { ...declared, rollups: [total, byRegion] }), {
    kind: 'unchanged',
  })
  const removed = evolveTable(definition, declared)
  assert.ok(removed.kind === 'changed')
  assert.equal(removed.changes.length, 2)
  assert.equal(removed.definition.rollups, undefined)
  assert.deepEqual(evolveTable(current, { ...declared, rollups: [] }), { kind: 'unchanged' })
})

const refused: ReadonlyArray<[name: string, change: Partial<TableDeclaration>, says: RegExp]> = [
  ['idColumn', { idColumn: 'uid' }, /^idColumn is "event_id" and never changes \(given: "uid"\)/],
  ['timeColumn', { timeColumn: 'at_us' }, /^timeColumn /],
  ['partitionBy', { partitionBy: [] }, /^partitionBy is \["region"\]/],
  ['slots', { slots: 16 }, /^slots is 8 and never changes/],
  ['a type', { columns: [column('items', 'float64')] }, /^column 'items' is int64 and cannot become float64/],
  ['nullable', { columns: [column('items', 'int64', false)] }, /^column 'items' is nullable and stays so/],
  [
    'a new column without null',
    { columns: [column('b', 'bool', false)] },
    /^new column 'b' must be nullable/,
  ],
]
for (const [name, change, says] of refused) {
  test(`evolveTable: ${name} is refused`, () => {
    const evolution = evolveTable(current, { ...declared, ...change })
    assert.ok(evolution.kind === 'refused')
    assert.match(evolution.reasons[0]!, says)
  })
}

test('evolveTable: whatever is declared in turn, no column is ever lost or moved, and versions rise by one', () => {
  const some = fc.uniqueArray(
    fc.constantFrom('a', 'b', 'c', 'd', 'e', 'items').map((name) => column(name)),
    { selector: ({ name }) => name },
  )
  fc.assert(
    fc.property(fc.array(some, { maxLength: 8 }), (specs) => {
      let table = current
      for (const columns of specs) {
        const evolution = evolveTable(table, { ...declared, columns })
        assert.notEqual(evolution.kind, 'refused')
        if (evolution.kind !== 'changed') continue
        assert.deepEqual(evolution.definition.columns.slice(0, table.columns.length), table.columns)
        assert.equal(evolution.definition.version, table.version + 1)
        table = evolution.definition
      }
      for (const { name } of specs.flat()) assert.ok(table.columns.some((held) => held.name === name))
    }),
  )
})
