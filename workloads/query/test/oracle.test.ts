import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { askerOf } from './asker.ts'
import type { Row } from './brute-force-partial.ts'
import { createCluster, EVENTS } from './cluster.ts'
import { oracleRows } from './oracle.ts'

/*
 * Random rows, split over slots, replicas and shards at random, asked random statements, must give what
 * oracle.ts works out from the rows alone. Metrics are halves of integers, so that float sums do not depend on order.
 */
const BASE_US = 1_754_773_200_000_000
const SPAN_US = 180_000_000
const text = fc.constantFrom('a', 'b', 'us-east', 'ü', '\u{1F600}', '', '%')
const nullable = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null })
const integer = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.maxSafeInteger().map((each) => Math.trunc(each / 64) + 0), // + 0: an int64 has no -0
)
const half = fc.integer({ min: -1_000, max: 1_000 }).map((each) => each / 2)
const row = fc.record({
  slot: fc.integer({ min: 0, max: EVENTS.slots - 1 }),
  at: fc.integer({ min: 0, max: SPAN_US - 1 }),
  region: text,
  product: nullable(text),
  latency_us: nullable(integer),
  revenue: half,
  items: integer,
  paid: nullable(fc.boolean()),
})
const rows = fc.uniqueArray(row, { maxLength: 30, selector: ({ at }) => at })

const value: Record<string, fc.Arbitrary<unknown>> = {
  region: text,
  product: nullable(text),
  latency_us: nullable(integer),
  revenue: half,
  items: integer,
  paid: nullable(fc.boolean()),
}
const ordered = (each: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.constantFrom('gt', 'gte', 'lt', 'lte', 'eq', 'ne'), each, { minKeys: 1, maxKeys: 2 })
const { tree } = fc.letrec<{ tree: Record<string, unknown> }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof(
      ...Object.entries(value).map(([name, each]) =>
        fc.record({ [name]: fc.oneof(each, fc.array(each, { maxLength: 3 })) }),
      ),
      fc.record({ items: ordered(integer) }),
      fc.record({ revenue: ordered(half) }),
      fc.record({ latency_us: ordered(integer) }),
      fc.record({
        region: fc.oneof(ordered(text), fc.record({ like: fc.constantFrom('%', '_', 'us%', '%a%', 'a_') })),
      }),
    ),
    fc.record({ not: tie('tree') }),
    fc.record({ and: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
  ),
}))
const range = fc
  .tuple(fc.integer({ min: 0, max: SPAN_US - 1 }), fc.integer({ min: 1, max: SPAN_US }))
  .map(([start, length]) => ({ start_time: BASE_US + start, end_time: BASE_US + start + length }))
const numeric = fc.constantFrom('latency_us', 'revenue', 'items')
const call = fc.oneof(
  fc.constant({ aggregate: 'count' }),
  fc.record({ aggregate: fc.constantFrom('count', 'sum', 'min', 'max', 'avg'), metric: numeric }),
  fc.record({
    aggregate: fc.constantFrom('count', 'min', 'max', 'first', 'last', 'count_distinct'),
    metric: fc.constantFrom('region', 'product', 'paid'),
  }),
)
const keys = fc.uniqueArray(
  fc.constantFrom('region', 'product', 'paid', 'latency_us', { time_bucket: '1m' }, { time_bucket: '1s' }),
  { maxLength: 3, selector: (key) => (typeof key === 'string' ? key : 'time_bucket') },
)
const calls = fc.uniqueArray(call, { minLength: 1, maxLength: 4, selector: (each) => JSON.stringify(each) })

const sceneOf = (
  given: readonly (Record<string, unknown> & { slot: number; at: number })[],
  shards: number,
) => {
  const all = given.map(({ at, ...rest }, index) => ({
    ...rest,
    event_id: `e${index}`,
    event_time_us: BASE_US + at,
  }))
  const cluster = createCluster({
    shards,
    replicationFactor: Math.min(shards, 2),
    rowsOf: (slot) => all.filter((each) => each.slot === slot) as unknown as Row[],
  })
  return { ask: askerOf(cluster).ask, all: all as unknown as Row[] }
}
const rowsOfText = (answer: string) =>
  (JSON.parse(answer) as { rows: Record<string, unknown>[] }).rows
    .map((each) => JSON.stringify(each))
    .toSorted()

test('query: aggregates over any split equal the oracle', async () => {
  const property = fc.asyncProperty(
    rows,
    fc.integer({ min: 1, max: 3 }),
    range,
    keys,
    calls,
    fc.option(tree),
    async (given, shards, times, group_by, aggregates, filters) => {
      const { ask, all } = sceneOf(given, shards)
      const statement = { ...times, ...(filters === null ? {} : { filters }), group_by, aggregates }
      const { text: answer } = await ask({ ...statement, namespace: 'production', table: 'events' })
      const expected = oracleRows(statement, all).map((each) => JSON.stringify(each))
      assert.deepEqual(rowsOfText(answer), expected.toSorted())
    },
  )
  await fc.assert(property, { numRuns: 300 })
})

test('query: the newest rows over any split equal the oracle, in order', async () => {
  const property = fc.asyncProperty(
    rows,
    range,
    fc.option(tree),
    fc.integer({ min: 1, max: 5 }),
    async (given, times, filters, limit) => {
      const { ask, all } = sceneOf(given, 2)
      const statement = { ...times, ...(filters === null ? {} : { filters }) }
      const { text: answer } = await ask({
        ...statement,
        namespace: 'production',
        table: 'events',
        limit,
        columns: ['event_id', 'latency_us'],
      })
      const kept = all.filter(
        (each) => oracleRows({ ...statement, aggregate: 'count' }, [each])[0]?.count === 1,
      )
      const expected = kept
        .toSorted((a, b) => (b.event_time_us as number) - (a.event_time_us as number))
        .slice(0, limit)
        .map(({ event_id, latency_us }) => ({ event_id, latency_us }))
      assert.deepEqual((JSON.parse(answer) as { rows: unknown }).rows, expected)
    },
  )
  await fc.assert(property, { numRuns: 200 })
})

test('query: TLP: a filter, its opposite and the unknown rest are all rows', async () => {
  const property = fc.asyncProperty(rows, tree, async (given, filters) => {
    const { ask } = sceneOf(given, 2)
    const countOf = async (each?: object) => {
      const range = {
        start_time: BASE_US,
        end_time: BASE_US + SPAN_US,
        namespace: 'production',
        table: 'events',
      }
      const { text: answer } = await ask({
        ...range,
        aggregate: 'count',
        ...(each === undefined ? {} : { filters: each }),
      })
      return (JSON.parse(answer) as { rows: [{ count: number }] }).rows[0].count
    }
    const known = (await countOf(filters)) + (await countOf({ not: filters }))
    assert.ok(known <= (await countOf()))
    assert.equal(await countOf({ or: [filters, { not: filters }] }), known)
  })
  await fc.assert(property, { numRuns: 100 })
})
