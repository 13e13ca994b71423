import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkValue, isProblem, type Scalar, STRING_BYTES_MAX } from './check-value.ts'
import type { EventColumn, EventColumnKind } from './event-schema.ts'
import { NOW_US } from './testing/events-table.ts'

const SAFE = Number.MAX_SAFE_INTEGER
const inexact = (digits: string): Scalar => ({ digits, nearest: Number(digits) })
const column = (kind: EventColumnKind, nullable = false): EventColumn => ({
  index: 0,
  name: 'c',
  nameBytes: new Uint8Array(),
  kind,
  nullable,
})
const check = (kind: EventColumnKind, scalar: Scalar) => checkValue(column(kind), scalar, NOW_US, 0)

const taken: ReadonlyArray<readonly [EventColumnKind, Scalar, unknown]> = [
  ['id', 'ü', 'ü'],
  ['id', 7, '7'],
  ['id', -SAFE, String(-SAFE)],
  ['id', inexact('9007199254740993'), '9007199254740993'],
  ['id', 'x'.repeat(256), 'x'.repeat(256)],
  ['time', NOW_US, NOW_US],
  ['string', '', ''],
  ['string', '😀', '😀'],
  ['string', 'x'.repeat(STRING_BYTES_MAX), 'x'.repeat(STRING_BYTES_MAX)],
  ['bool', false, false],
  ['int64', SAFE, SAFE],
  ['int64', -SAFE, -SAFE],
  ['int64', -0, 0],
  ['timestamp', -1, -1],
  ['float64', -0, 0],
  ['float64', Number.MIN_VALUE, Number.MIN_VALUE],
  ['float64', -Number.MAX_VALUE, -Number.MAX_VALUE],
  ['float64', inexact('0.99999999999999999999'), 1],
]
const refused: ReadonlyArray<readonly [EventColumnKind, Scalar, RegExp]> = [
  ['id', '', /must not be empty/],
  ['id', true, /must be a string or an integer, not boolean true/],
  ['id', 0.5, /must be a string or an integer, not number 0\.5/],
  ['id', 2 ** 53, /must be a string or an integer/],
  ['id', inexact('0.99999999999999999999'), /must be an integer, not number 0\.9{20}/],
  ['id', inexact('9'.repeat(257)), /has 257 bytes; at most 256/],
  ['id', `${'é'.repeat(128)}x`, /has 257 bytes; at most 256/],
  ['id', 'a\0', /U\+0000/],
  ['time', 0.5, /must be an integer, µs since 1970, not number 0\.5/],
  ['time', Number.POSITIVE_INFINITY, /not number Infinity/],
  ['time', inexact('9007199254740993'), /below 2\^53/],
  ['string', 1, /must be a string, not number 1/],
  ['string', '\udfff', /surrogate/],
  ['string', 'x'.repeat(STRING_BYTES_MAX + 1), /has 65537 bytes/],
  ['bool', 'true', /must be true or false, not string "true"/],
  ['int64', 2 ** 53, /below 2\^53/],
  ['int64', 1e300, /below 2\^53/],
  ['int64', 'x'.repeat(9_999), /not string "x{39}…$/],
  ['int64', inexact('1e-400'), /must be an integer, not number 1e-400/],
  ['timestamp', Number.NaN, /must be an integer, not number NaN/],
  ['float64', Number.NaN, /is not a number/],
  ['float64', Number.NEGATIVE_INFINITY, /beyond what a float64 can hold/],
  ['float64', inexact('1e-400'), /is 1e-400, nearer to 0 than a float64 can tell/],
  ['float64', inexact('9007199254740993'), /is the integer 9007199254740993/],
]

test('checkValue: what a column takes it takes as it is', () => {
  for (const [kind, scalar, value] of taken)
    assert.ok(Object.is(check(kind, scalar), value), `${kind} ${value}`)
})

test('checkValue: what a column does not take is refused with the rule', () => {
  for (const [kind, scalar, message] of refused) {
    const checked = check(kind, scalar)
    assert.match(isProblem(checked) ? checked.problem : 'was taken', message)
  }
})

test('checkValue: null only where the column is nullable', () => {
  for (const kind of ['string', 'bool', 'int64', 'float64', 'timestamp'] as const) {
    assert.equal(checkValue(column(kind, true), null, NOW_US, 0), null)
    assert.deepEqual(check(kind, null), { problem: 'is null and the column is not nullable' })
  }
})
