import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { askerOf } from './asker.ts'
import type { Row } from './brute-force-partial.ts'
import { createCluster, EVENTS } from './cluster.ts'

type Statement = Readonly<{ start_time: number; end_time: number }>
type Case = Readonly<{
  name: string
  statement: Statement
  rows?: readonly Row[]
  rowsText?: string
  /** What the answer says of its approximate columns. */
  approximate?: object
  error?: Readonly<{ code: string; path: string; did_you_mean?: string }>
}>
type CaseFile = Readonly<{
  columns: TableDefinition['columns']
  rows: readonly Row[]
  cases: readonly Case[]
}>

/** A whole hour, so that time buckets fall where the file says. */
const BASE_US = 1_754_773_200_000_000
const TIME_NAMES = ['event_time_us', 'time_bucket']
const shifted = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      TIME_NAMES.includes(name) ? (value as number) + BASE_US : value,
    ]),
  )

const folder = `${import.meta.dirname}/cases`
for (const file of readdirSync(folder)) {
  const { columns, rows, cases } = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as CaseFile
  const definition = { ...EVENTS, columns }
  const spread = rows.map(shifted)
  const { slots } = definition
  const cluster = createCluster({
    definition,
    rowsOf: (slot) => spread.filter((_, at) => at % slots === slot),
  })
  const { ask } = askerOf(cluster)
  for (const { name, statement, rows: expected, rowsText, approximate, error } of cases) {
    test(`${file}: ${name}`, async () => {
      const asked = {
        ...statement,
        start_time: statement.start_time + BASE_US,
        end_time: statement.end_time + BASE_US,
        namespace: 'production',
        table: 'events',
      }
      if (error === undefined) {
        const { text } = await ask(asked)
        if (rowsText !== undefined) assert.ok(text.includes(`"rows":${rowsText}`), text)
        else assert.deepEqual(JSON.parse(text).rows, expected?.map(shifted))
        assert.deepEqual(JSON.parse(text).approximate, approximate ?? {})
        return
      }
      await assert.rejects(ask(asked), (refusal: unknown) => {
        assert.ok(refusal instanceof TrueNowError)
        const { code, ...details } = error
        assert.equal(refusal.code, code)
        assert.deepEqual(refusal.details, details)
        return true
      })
    })
  }
}
