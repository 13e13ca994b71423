import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileEventSchema } from './event-schema.ts'
import { eventsSchema, eventsTable } from './testing/events-table.ts'

test('compileEventSchema: id, time, then the columns as declared; both own ones never null', () => {
  assert.deepEqual(
    eventsSchema.columns.map(({ index, name, kind, nullable }) => [index, name, kind, nullable]),
    [
      [0, 'event_id', 'id', false],
      [1, 'event_time_us', 'time', false],
      ...eventsTable.columns.map(({ name, type, nullable }, at) => [at + 2, name, type, nullable]),
    ],
  )
  for (const column of eventsSchema.columns) {
    assert.equal(eventsSchema.byName.get(column.name), column)
    assert.equal(Buffer.from(column.nameBytes).toString(), JSON.stringify(column.name))
  }
  assert.equal(eventsSchema.byName.size, eventsSchema.columns.length)
})

test('compileEventSchema: the partition key in its order; the id alone where none is named', () => {
  const keyOf = (partitionBy: string[]) =>
    compileEventSchema({ ...eventsTable, partitionBy }).partitionColumns
  assert.deepEqual(keyOf(['paid', 'region']), [6, 2])
  assert.deepEqual(keyOf(['event_time_us']), [1])
  assert.deepEqual(keyOf([]), [0])
  assert.throws(() => keyOf(['gone']), /partition column gone is not a column of events/)
})

test('compileEventSchema: own names for id and time', () => {
  const { columns } = compileEventSchema({
    ...eventsTable,
    idColumn: 'key',
    timeColumn: 'at_us',
    partitionBy: [],
  })
  assert.deepEqual(
    columns.slice(0, 2).map(({ name, kind }) => [name, kind]),
    [
      ['key', 'id'],
      ['at_us', 'time'],
    ],
  )
})
