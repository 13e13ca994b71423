import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AnswerHead, encodeAnswer, encodeRows } from './encode-answer.ts'

const columns = [
  { name: 'key', type: 'string' },
  { name: 'sum', type: 'int64' },
] as const

test('encodeRows: text is escaped, digits are exact, null stays null', () => {
  const text = encodeRows(columns, [
    ['a"\u2028\n', 9_223_372_036_854_775_807n],
    [null, -0],
  ])
  assert.equal(text, '[{"key":"a\\"\u2028\\n","sum":9223372036854775807},{"key":null,"sum":0}]')
  JSON.parse(text)
})

test('encodeRows: a list is a list of objects', () => {
  const top = [{ value: 'a', count: 2, error_max: 0 }]
  assert.equal(
    encodeRows([{ name: 'top', type: 'list' }], [[top]]),
    '[{"top":[{"value":"a","count":2,"error_max":0}]}]',
  )
})

test('encodeAnswer: one JSON object, columns and rows first', () => {
  const head: AnswerHead = {
    columns,
    positions: { 0: { incarnation: 1, offset: 7 } },
    watermark_us: null,
    complete: false,
    partial: true,
    missing_slots: [{ slot: 1, reason: 'x' }],
    retained_from_us: 5,
    approximate: {},
    regressed: false,
    warnings: [],
    stats: {
      rows_scanned: 0,
      rows_matched: 0,
      rows_from_rollups: 0,
      shards_asked: 1,
      cache: 'off',
      took_us: 3,
    },
  }
  const text = encodeAnswer(head, '[]')
  assert.ok(text.startsWith('{"columns":[{"name":"key","type":"string"}'))
  assert.deepEqual(JSON.parse(text), { ...head, rows: [] })
})
