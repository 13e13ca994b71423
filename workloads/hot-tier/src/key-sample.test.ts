import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'
import fc from 'fast-check'
import { KeySample } from './key-sample.ts'

const definition: TableDefinition = {
  namespace: 'production',
  name: 'events',
  version: 1,
  columns: [
    { name: 'user_id', type: 'string', nullable: true },
    { name: 'shop', type: 'int64', nullable: false },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: ['shop', 'user_id'],
  slots: 8,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 0,
  dedupWindowUs: 0,
  maxFutureSkewUs: 0,
  idleTimeoutUs: 0,
  onMemoryFull: 'Evict',
}
/** Of each row its user; undefined is null. Shops are all 7. */
function blockOf(users: readonly (string | undefined)[]): Block {
  const dictionary = [...new Set(users.map((user) => user ?? ''))]
  const validity = new Uint8Array(Math.ceil(users.length / 8))
  for (const [row, user] of users.entries())
    if (user !== undefined) validity[row >>> 3] = (validity[row >>> 3] ?? 0) | (1 << (row & 7))
  const codes = Uint32Array.from(users, (user) => dictionary.indexOf(user ?? ''))
  return {
    tableVersion: 1,
    rowCount: users.length,
    timeUsMin: 0,
    timeUsMax: 0,
    columns: [
      { type: 'id128', values: new Uint8Array(16 * users.length) },
      { type: 'timestamp', values: new Float64Array(users.length) },
      { type: 'string', codes, dictionary, validity },
      { type: 'int64', values: new Float64Array(users.length).fill(7) },
    ],
  }
}
/** So many looks, a quarter of a second apart, at blocks made by `block`. */
function sampled(block: (look: number) => Block, looks: number, of = definition): KeySample {
  let nowMs = 0
  const sample = new KeySample(() => nowMs)
  for (let look = 0; look < looks; look++) {
    sample.look(block(look), of, look * 977)
    nowMs += 250
  }
  return sample
}

test('KeySample: a key is named by its columns as the table declares them, nulls too, with its share of the rows', () => {
  const users = Array.from({ length: 500 }, (_, row) => (row % 10 === 0 ? undefined : 'u1'))
  const [first, second] = sampled(() => blockOf(users), 40).top()
  assert.equal(first?.key, 'shop=7, user_id="u1"')
  assert.equal(second?.key, 'shop=7, user_id=null')
  assert.ok(Math.abs((first?.share ?? 0) - 0.9) < 0.05, String(first?.share))
})

test('KeySample: too few rows say nothing, nor do keys of which none stands out, nor ids', () => {
  const many = (look: number) => blockOf(Array.from({ length: 64 }, (_, row) => `u${look * 64 + row}`))
  assert.deepEqual(sampled(() => blockOf(['u1', 'u1']), 10).top(), [])
  assert.deepEqual(sampled(many, 40).top(), [])
  for (const partitionBy of [[], ['user_id', 'event_id']])
    assert.deepEqual(
      sampled(() => blockOf(Array(64).fill('u1')), 40, { ...definition, partitionBy }).top(),
      [],
    )
})

test('KeySample: what was frequent an hour ago is not, and between two looks blocks are let by', () => {
  let nowMs = 0
  const sample = new KeySample(() => nowMs)
  const look = (user: string) => {
    sample.look(blockOf(Array(64).fill(user)), definition, 0)
    nowMs += 25
  }
  for (let at = 0; at < 1_000; at++) look('old') // A tenth is looked at: every 250 ms.
  nowMs += 3_600_000
  for (let at = 0; at < 100; at++) look('new')
  assert.deepEqual(
    sample.top().map(({ key }) => key),
    ['shop=7, user_id="new"'],
  )
})

test('KeySample: long keys are cut, and those that differ behind the cut are told apart', () => {
  const long = 'x'.repeat(200)
  const keys = sampled(
    () => blockOf([...Array(32).fill(`${long}a`), ...Array(32).fill(`${long}b`)]),
    20,
  ).top()
  assert.equal(new Set(keys.map(({ key }) => key)).size, 2)
  assert.ok(keys.every(({ key }) => key.length < 100))
})

test('KeySample: the greatest key of a skewed slot is named, wherever its rows stand in the blocks', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 3, max: 97 }), (rows, period) => {
      // Every `period`-th row is another user's: the hot key has the rest.
      const block = (look: number) =>
        blockOf(Array.from({ length: rows }, (_, row) => ((look + row) % period === 0 ? `u${row}` : 'hot')))
      const looks = Math.ceil(300 / Math.min(rows, 32))
      assert.equal(sampled(block, looks).top()[0]?.key, 'shop=7, user_id="hot"')
    }),
  )
})
