import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { parseTableDeclaration, type TableDeclaration } from './table-declaration.ts'

const events: TableDeclaration = {
  namespace: 'production',
  name: 'events',
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'revenue', type: 'float64', nullable: true },
  ],
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
const column = (name: string) => ({ name, type: 'int64', nullable: true }) as const

const rollup = { dimensions: ['region'], metrics: ['revenue'], granularityUs: 1_000_000 }
const rolled = (...changes: object[]) => ({
  ...events,
  rollups: changes.map((change) => ({ ...rollup, ...change })),
})

test('parseTableDeclaration: a good one comes back as it is, and a version in it is not believed', () => {
  assert.deepEqual(parseTableDeclaration(JSON.stringify(rolled({}))), rolled({}))
  assert.deepEqual(parseTableDeclaration(JSON.stringify(events)), events)
  assert.deepEqual(parseTableDeclaration(JSON.stringify({ ...events, version: 7 })), events)
})

const refused: ReadonlyArray<[name: string, given: unknown, says: RegExp]> = [
  ['no object', [1], /must be a JSON object/],
  ['a name with a capital', { ...events, name: 'Events' }, /\/name/],
  ['no slots', { ...events, slots: 0 }, /\/slots/],
  ['more slots than may be', { ...events, slots: 1_025 }, /\/slots/],
  [
    'a column type that does not exist',
    { ...events, columns: [{ ...column('a'), type: 'json' }] },
    /\/columns\/0\/type/,
  ],
  [
    'a field that nobody knows',
    { ...events, colour: 'red' },
    /must not have additional properties \(colour\)/,
  ],
  [
    'a column twice',
    { ...events, columns: [...events.columns, column('region')] },
    /'region' is declared twice/,
  ],
  [
    'the id as a column',
    { ...events, columns: [...events.columns, column('event_id')] },
    /'event_id' is the id or time/,
  ],
  ['a key that is no column', { ...events, partitionBy: ['nobody'] }, /partitionBy names 'nobody'/],
  ['a key twice', { ...events, partitionBy: ['region', 'region'] }, /partitionBy names 'region' twice/],
  ['a rollup by a stranger', rolled({ dimensions: ['nobody'] }), /rollups\[0\]\.dimensions names 'nobody'/],
  ['a rollup by a float', rolled({ dimensions: ['revenue'] }), /no column of type string, bool, int64/],
  [
    'a rollup of a text',
    rolled({ metrics: ['region'] }),
    /metrics names 'region', which is no column of type int64/,
  ],
  ['a dimension twice', rolled({ dimensions: ['region', 'region'] }), /dimensions names a column twice/],
  ['a rollup twice', rolled({}, {}), /rollups\[1\] says the same/],
  ['a step that is none', rolled({ granularityUs: 5_000_000 }), /\/rollups\/0\/granularityUs/],
  ['more dimensions than may be', rolled({ dimensions: 'abcde'.split('') }), /\/rollups\/0\/dimensions/],
  ['id and time alike', { ...events, idColumn: 'event_time_us' }, /must differ/],
]
for (const [name, given, says] of refused) {
  test(`parseTableDeclaration: ${name} is refused`, () => {
    assert.throws(
      () => parseTableDeclaration(JSON.stringify(given)),
      (error: unknown) =>
        error instanceof TrueNowError && error.code === 'TN_TABLE_INVALID' && says.test(error.message),
    )
  })
}

test('parseTableDeclaration: text that is not JSON is refused as such', () => {
  assert.throws(() => parseTableDeclaration('{'), { code: 'TN_TABLE_INVALID' })
})
