import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import fc from 'fast-check'
import { parseStatement } from './parse-statement.ts'

const good = { start_time: 1, end_time: 2, namespace: 'production', table: 'events' }

const classic: ReadonlyArray<[name: string, more: object]> = [
  ['rows', {}],
  ['filters', { filters: { region: 'us-east', product: 'widget-a' } }],
  ['aggregate', { group_by: ['region', 'product'], aggregate: 'sum', metric: 'revenue' }],
  ['time bucket', { group_by: [{ time_bucket: '1m' }], aggregates: [{ aggregate: 'count', as: 'n' }] }],
  ['at_least', { at_least: { 0: 17 }, require_complete: true, timeout_ms: 1 }],
]
for (const [name, more] of classic) {
  test(`parseStatement: takes ${name} as it is`, () => {
    const body = { ...good, ...more }
    assert.equal(parseStatement(body), body)
  })
}

const refusals: ReadonlyArray<[name: string, body: unknown, path: string, text: RegExp]> = [
  ['null', null, '', /JSON object|object/],
  ['text', 'select 1', '', /object/],
  ['a list', [], '', /object/],
  ['nothing', {}, 'start_time', /required/],
  ['a missing table', { ...good, table: undefined }, 'table', /required|string/],
  ['a mistyped field', { ...good, filter: {} }, 'filter', /Did you mean 'filters'/],
  ['having, which this version has not', { ...good, having: {} }, 'having', /no such field/],
  [
    'a mistyped field inside',
    { ...good, aggregates: [{ aggregate: 'sum', metrics: 'x' }] },
    'aggregates[0].metrics',
    /'metric'/,
  ],
  ['a fraction of a µs', { ...good, start_time: 1.5 }, 'start_time', /integer/],
  ['a time in words', { ...good, end_time: 'now' }, 'end_time', /integer/],
  ['beyond 2^53', { ...good, end_time: 2 ** 60 }, 'end_time', /2\^53/],
  ['beyond 2^53, offset', { ...good, at_least: { 3: 1e300 } }, 'at_least.3', /2\^53/],
  ['a slot that is none', { ...good, at_least: { a: 1 } }, 'at_least', /no slot number/],
  ['an unknown aggregate', { ...good, aggregate: 'median' }, 'aggregate', /one of count, sum, min, max, avg/],
  [
    'a bucket of a year',
    { ...good, group_by: [{ time_bucket: '1y' }] },
    'group_by[0].time_bucket',
    /pattern/,
  ],
  ['limit 0', { ...good, limit: 0 }, 'limit', />= 1/],
  ['an injected name', { ...good, table: "events'; drop table x" }, 'table', /pattern/],
]
for (const [name, body, path, text] of refusals) {
  test(`parseStatement: refuses ${name}`, () => {
    assert.throws(
      () => parseStatement(body),
      (error: unknown) => {
        assert.ok(error instanceof TrueNowError)
        assert.equal(error.code, 'TN_QUERY_INVALID')
        assert.equal(error.details.path, path)
        assert.match(error.message, text)
        return true
      },
    )
  })
}

test('parseStatement: whatever comes, the answer is a statement or a refusal', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) => {
      try {
        parseStatement(body)
      } catch (error) {
        assert.ok(error instanceof TrueNowError, String(error))
      }
    }),
  )
})
