import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TableSpec } from './api/v1alpha1/table.ts'
import { tableProblems } from './table-problems.ts'
import { tableOf } from './testing/any-table.ts'

const column = (name: string) => ({ name, type: 'string', nullable: false })
const cases: ReadonlyArray<[what: string, spec: Partial<TableSpec>, said: readonly RegExp[]]> = [
  ['nothing wrong', {}, []],
  ['partitioned by the id', { partitionBy: ['event_id'] }, []],
  ['a column twice', { columns: [column('region'), column('region')] }, [/names a column twice/]],
  ['id and time are one', { idColumn: 'event_time_us' }, [/must differ/]],
  [
    'the id among the columns',
    { columns: [column('region'), column('event_id')] },
    [/repeats the id or time column/],
  ],
  [
    'the time among the columns',
    { columns: [column('region'), column('event_time_us')] },
    [/repeats the id or time/],
  ],
  ['partitioned by a stranger', { partitionBy: ['user_id'] }, [/spec\.partitionBy/]],
  ['partitioned by the time', { partitionBy: ['event_time_us'] }, [/spec\.partitionBy/]],
  ['no duration', { retention: '1h30m' }, [/'1h30m' is no duration/]],
  ['no lawful name', { name: 'No Name' }, [/^spec\.name/]],
  ['a rollup', { rollups: [{ dimensions: ['region'], metrics: ['items'], granularity: '10s' }] }, []],
  [
    'a rollup by a stranger, of a text',
    { rollups: [{ dimensions: ['user_id'], metrics: ['region'], granularity: '1s' }] },
    [/spec\.rollups\[0\]\.dimensions names 'user_id'/, /spec\.rollups\[0\]\.metrics names 'region'/],
  ],
  [
    'all mistakes at once',
    { columns: [column('a'), column('a')], partitionBy: ['b'], dedupWindow: '' },
    [/twice/, /partitionBy/, /no duration/],
  ],
]
for (const [what, spec, said] of cases) {
  test(`tableProblems: ${what}`, () => {
    const problems = tableProblems(tableOf(spec))
    assert.equal(problems.length, said.length, problems.join('; '))
    for (const [index, pattern] of said.entries()) assert.match(problems[index] ?? '', pattern)
  })
}
