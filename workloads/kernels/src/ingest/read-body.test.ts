import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EventValue } from './check-value.ts'
import type { EventColumn } from './event-schema.ts'
import { EVENT_KEYS_MAX, JSON_DEPTH_MAX } from './json-event-reader.ts'
import { EVENTS_MAX, readBody } from './read-body.ts'
import { ROWS_BYTES_MAX } from './row-bytes.ts'
import { eventsSchema, NOW_US } from './testing/events-table.ts'

const read = (text: string, format: 'json' | 'ndjson' = 'json') =>
  readBody(Buffer.from(text, 'utf8'), format, eventsSchema, NOW_US)
const whole = (more = '') =>
  `{"event_id":"a","event_time_us":${NOW_US},"region":"eu"${more === '' ? '' : `,${more}`}}`
const notJson = { name: 'TrueNowError', code: 'TN_REQUEST_INVALID' }

// --- What an event is, said once more and slowly: the oracle.

/** One member as it stands in the text: its key and value are JSON literals, written in any way that JSON allows. */
type Member = Readonly<{ key: string; value: string }>
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** The whole number that a literal stands for, by its digits; undefined where it is none. */
function exactInteger(literal: string): bigint | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(literal) ?? []
  const digits = BigInt(whole + fraction)
  const power = Number(exponent) - fraction.length
  if (digits === 0n) return 0n
  if (power > 400) return 10n ** 400n
  if (power < 0 && (power < -700 || digits % 10n ** BigInt(-power) !== 0n)) return undefined
  const magnitude = power < 0 ? digits / 10n ** BigInt(-power) : digits * 10n ** BigInt(power)
  return sign === '-' ? -magnitude : magnitude
}

const isText = (value: unknown, bytesMax: number): value is string =>
  typeof value === 'string' &&
  value.isWellFormed() &&
  !value.includes('\0') &&
  Buffer.byteLength(value) <= bytesMax

/** What a column holds for a literal; undefined = it must be refused. */
function expectedValue({ kind, nullable }: EventColumn, literal: string): EventValue | undefined {
  const value: unknown = JSON.parse(literal)
  if (value === null) return nullable ? null : undefined
  if (kind === 'string') return isText(value, 65_536) ? value : undefined
  if (kind === 'bool') return typeof value === 'boolean' ? value : undefined
  if (kind === 'id' && typeof value === 'string')
    return value !== '' && isText(value, 256) ? value : undefined
  if (typeof value !== 'number') return undefined
  const integer = exactInteger(literal)
  const plain = /^-?\d+$/.test(literal)
  const safe = integer !== undefined && -(2n ** 53n) < integer && integer < 2n ** 53n
  if (kind === 'id') return integer !== undefined && (plain || safe) ? String(integer) : undefined
  if (kind === 'float64') {
    if (!Number.isFinite(value) || (plain && !safe) || (value === 0 && integer !== 0n)) return undefined
    return value === 0 ? 0 : value
  }
  if (!safe) return undefined
  if (kind === 'time' && !(integer >= 100_000_000_000_000n && Number(integer) <= NOW_US + 60_000_000))
    return undefined
  return Number(integer)
}

type Verdict = Readonly<{ values: readonly EventValue[] } | { path: string }>

function judge(members: readonly Member[]): Verdict {
  const values = new Map<string, EventValue>()
  for (const member of members) {
    const key = JSON.parse(member.key) as string
    const column = eventsSchema.byName.get(key)
    const value = column === undefined ? undefined : expectedValue(column, member.value)
    if (value === undefined || values.has(key))
      return { path: key.length > 64 ? `${key.slice(0, 64)}…` : key }
    values.set(key, value)
  }
  for (const { name, nullable } of eventsSchema.columns)
    if (!values.has(name) && !nullable) return { path: name }
  return { values: eventsSchema.columns.map(({ name }) => values.get(name) ?? null) }
}

// --- Texts

const digits = fc.stringMatching(/^[0-9]{1,25}$/)
const wholeNumber = digits.map((text) => text.replace(/^0+(?=.)/, ''))
const hostileNumbers = [
  ...[
    '1e999',
    '-1e999',
    '1e-400',
    '-1e-400',
    '0.99999999999999999999999',
    '1.0000000000000000000001',
    '5e-324',
  ],
  ...['9007199254740991', '9007199254740992', '9007199254740993', '-9007199254740993', '9007199254740991.4'],
  ...[
    '9007199254740992.0',
    '4503599627370497.0000000001',
    '-0',
    '-0.0',
    '0e7',
    '1.0',
    '100e-2',
    '1E+2',
    '1.50e1',
  ],
  ...['123456789012345.6', '1234567890123456', '0.1', '0.30000000000000004', '1e15', '12345678901234567890'],
]
const number = fc.oneof(
  fc.constantFrom(...hostileNumbers),
  fc.integer().map(String),
  fc.maxSafeInteger().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      wholeNumber,
      fc.option(digits, { nil: undefined }),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.nat(330)), { nil: undefined }),
    )
    .map(
      ([sign, first, fraction, exponent]) =>
        `${sign}${first}${fraction === undefined ? '' : `.${fraction}`}${exponent?.join('') ?? ''}`,
    ),
)
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\n': '\\n',
  '\t': '\\t',
}

/** Any of the ways to write `value` as a JSON string; `ways` picks one a character. */
function written(value: string, ways: readonly number[]): string {
  const units = Array.from(value).map((character, index) => {
    const way = ways[index % Math.max(ways.length, 1)] ?? 0
    const escaped = character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('')
    if (way === 2) return escaped
    if (way === 1 && SHORT[character] !== undefined) return SHORT[character]
    return JSON.stringify(character).slice(1, -1)
  })
  return `"${units.join('')}"`
}
const ways = fc.array(fc.nat(2), { maxLength: 6 })
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
  fc.constantFrom(
    '',
    'eu',
    'é',
    '😀',
    '\ud800',
    'a\udc00b',
    'nul\0',
    '__proto__',
    'x'.repeat(257),
    'é'.repeat(129),
  ),
)
const text = fc.tuple(anyText, ways).map(([value, how]) => written(value, how))
const nested = fc.constantFrom('{}', '[]', '[1,{"a":["}",null]}]', '{"a":{"b":[]},"c":-1.5e3}', '[[[[]]]]')
const literal = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: nested },
  { weight: 2, arbitrary: fc.constantFrom('null', 'true', 'false') },
)
const time = fc.integer({ min: -1_000_000, max: 60_000_001 }).map((offset) => String(NOW_US + offset))
const fitting: Readonly<Record<string, fc.Arbitrary<string>>> = {
  event_id: fc.oneof(text, fc.nat().map(String)),
  event_time_us: time,
  region: text,
  note: text,
  items: fc.maxSafeInteger().map(String),
  revenue: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  paid: fc.boolean().map(String),
  shipped_us: time,
}
const member = (name: string): fc.Arbitrary<Member> =>
  fc.record({
    key: ways.map((how) => written(name, how)),
    value: fc.oneof({ weight: 12, arbitrary: fitting[name] ?? literal }, { weight: 1, arbitrary: literal }),
  })
const stranger = fc.oneof(
  fc.tuple(fc.constantFrom('regoin', '__proto__', 'constructor', 'toString', ''), ways),
  fc.tuple(anyText, ways),
)
/** Mostly good: each column once, some left out, in any order; now and then one twice or one unknown. */
const event: fc.Arbitrary<readonly Member[]> = fc
  .tuple(
    fc.tuple(...eventsSchema.columns.map(({ name }) => member(name))),
    fc.array(fc.nat(19), { minLength: 8, maxLength: 8 }),
    fc.oneof(
      { weight: 8, arbitrary: fc.constant<Member[]>([]) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(stranger, literal)
          .map(([[key, how], value]) => [{ key: written(key, how), value }]),
      },
      {
        weight: 1,
        arbitrary: fc
          .constantFrom('region', 'items')
          .chain(member)
          .map((again) => [again]),
      },
    ),
  )
  .map(([members, dropped, more]) => [...members.filter((_, at) => dropped[at] !== 0), ...more])
  .chain((members) => fc.shuffledSubarray(members, { minLength: members.length, maxLength: members.length }))

const render = (members: readonly Member[], space: string): string =>
  `{${space}${members.map(({ key, value }) => `${key}${space}:${space}${value}`).join(`${space},${space}`)}${space}}`

const expected = (events: ReadonlyArray<readonly Member[]>) => {
  const verdicts = events.map(judge)
  return {
    received: events.length,
    rows: verdicts.flatMap((verdict) => ('values' in verdict ? [verdict.values] : [])),
    places: verdicts.flatMap((verdict, index) =>
      'path' in verdict ? [{ index, path: `events[${index}].${verdict.path}` }] : [],
    ),
  }
}
const found = ({ received, rows, rejections }: ReturnType<typeof readBody>) => ({
  received,
  rows,
  places: rejections.map(({ index, path }) => ({ index, path })),
})

// --- Laws

test('readBody: an array gives what JSON.parse and the schema say, in any order, escapes and white space', () => {
  const space = fc.constantFrom('', ' ', '\n', '\t\r\n ')
  fc.assert(
    fc.property(fc.array(event, { maxLength: 6 }), space, (events, gap) => {
      const body = `${gap}[${gap}${events.map((one) => render(one, gap)).join(`${gap},${gap}`)}${gap}]${gap}`
      assert.deepEqual(found(read(body)), expected(events))
    }),
    { numRuns: 1_500 },
  )
})

test('readBody: NDJSON gives the same, a line an event, whatever ends the lines; one object is one event', () => {
  const space = fc.constantFrom('', ' ', '\t \r')
  const ends = fc.constantFrom('\n', '\r\n', '\n \n')
  fc.assert(
    fc.property(fc.array(event, { maxLength: 6 }), space, ends, fc.boolean(), (events, gap, end, last) => {
      const body = events.map((one) => render(one, gap)).join(end) + (last ? end : '')
      assert.deepEqual(found(read(body, 'ndjson')), expected(events))
      for (const one of events) assert.deepEqual(found(read(render(one, gap))), expected([one]))
    }),
    { numRuns: 500 },
  )
})

test('readBody: it takes as JSON exactly what JSON.parse takes', () => {
  const scar = fc.tuple(
    fc.nat(),
    fc.constantFrom(...'{}[]:,"\\0-.eEtn \n\u0001\u001fé'.split(''), ''),
    fc.boolean(),
  )
  const parsed = (body: string): unknown => {
    try {
      return JSON.parse(body)
    } catch {
      return undefined
    }
  }
  fc.assert(
    fc.property(fc.array(event, { maxLength: 3 }), fc.array(scar, { maxLength: 2 }), (events, scars) => {
      let body = `[${events.map((one) => render(one, '')).join(',')}]`
      for (const [where, what, replace] of scars) {
        const at = where % (body.length + 1)
        body = body.slice(0, at) + what + body.slice(replace ? at + 1 : at)
      }
      if (!body.isWellFormed()) return // A pair was cut in half; UTF-8 cannot even say that.
      const value = parsed(body)
      if (value === undefined) assert.throws(() => read(body), notJson)
      else assert.equal(read(body).received, Array.isArray(value) ? value.length : 1)
      const lines = body.split('\n').filter((line) => /[^ \t\r]/.test(line))
      const { received, rejections } = read(body, 'ndjson')
      assert.equal(received, lines.length)
      assert.deepEqual(
        rejections.flatMap(({ index, message }) => (message.startsWith('is not JSON') ? [index] : [])),
        lines.flatMap((line, index) => (parsed(line) === undefined ? [index] : [])),
      )
    }),
    { numRuns: 2_000 },
  )
})

test('readBody: one bad event in 1,000 is refused by its index; the 999 others are kept', () => {
  const bad = 417
  const events = Array.from({ length: 1_000 }, (_, index) =>
    index === bad ? whole('"revenue":1e999') : whole(`"items":${index}`),
  )
  for (const { received, rows, rejections } of [
    read(`[${events.join(',')}]`),
    read(events.join('\n'), 'ndjson'),
  ]) {
    assert.equal(received, 1_000)
    assert.deepEqual(
      rows.map((row) => row[4]),
      Array.from({ length: 1_000 }, (_, index) => index).filter((index) => index !== bad),
    )
    assert.deepEqual(rejections, [
      { index: bad, path: 'events[417].revenue', message: 'is beyond what a float64 can hold' },
    ])
  }
})

/** The rule that one bad event names: the rest of it is good. */
const refusals: ReadonlyArray<readonly [event: string, path: string, message: RegExp]> = [
  ['7', '', /must be a JSON object/],
  ['null', '', /must be a JSON object/],
  [whole('"items":9007199254740993'), '.items', /is the integer 9007199254740993; .* below 2\^53/],
  [whole('"items":9007199254740992'), '.items', /below 2\^53/],
  [whole('"items":9007199254740991.4'), '.items', /must be an integer, not number 9007199254740991\.4/],
  [whole('"items":0.99999999999999999999'), '.items', /must be an integer/],
  [whole('"items":1e-400'), '.items', /must be an integer, not number 1e-400/],
  [whole('"items":1e999'), '.items', /must be an integer, not number Infinity/],
  [whole(`"items":${'9'.repeat(1_000_000)}`), '.items', /is the integer 9{40}…; /],
  [whole('"items":"1"'), '.items', /must be an integer, not string "1"/],
  [whole('"revenue":9007199254740993'), '.revenue', /below 2\^53/],
  [whole('"revenue":1e-400'), '.revenue', /nearer to 0/],
  [whole('"paid":1'), '.paid', /must be true or false, not number 1/],
  [whole('"note":"\\ud800"'), '.note', /surrogate/],
  [whole('"note":"\\u0000"'), '.note', /U\+0000/],
  [whole(`"note":"${'é'.repeat(32_769)}"`), '.note', /has 65538 bytes; at most 65536/],
  [whole('"note":{"a":1}'), '.note', /not an object or array; events are flat/],
  [whole('"region":"us"'), '.region', /stands twice/],
  [whole('"r\\u0065gion":"us"'), '.region', /stands twice/],
  [whole('"regoin":"us"'), '.regoin', /is not a column of the table; did you mean "region"\?/],
  [whole('"__proto__":{"polluted":true}'), '.__proto__', /is not a column/],
  [whole('"constructor":{"prototype":{"polluted":true}}'), '.constructor', /is not a column/],
  [whole(`"${'x'.repeat(5_000)}":1`), `.${'x'.repeat(64)}…`, /is not a column of the table$/],
  [whole().replace('"eu"', 'null'), '.region', /is null and the column is not nullable/],
  [whole().replace(',"region":"eu"', ''), '.region', /is missing and the column is not nullable/],
  ['{}', '.event_id', /is missing/],
  [whole().replace('"a"', '""'), '.event_id', /must not be empty/],
  [whole().replace('"a"', '1.5'), '.event_id', /must be a string or an integer/],
  [
    whole().replace(/\d{16}/, '1754772400000'),
    '.event_time_us',
    /looks like milliseconds; send microseconds/,
  ],
  [whole().replace(/\d{16}/, '1754772400'), '.event_time_us', /looks like seconds; send microseconds/],
  [
    whole().replace(/\d{16}/, String(NOW_US + 3_600e6)),
    '.event_time_us',
    /lies 3600\.000 s ahead.*skew.* 60 s/i,
  ],
  [whole().replace(/\d{16}/, '"2025-08-09"'), '.event_time_us', /must be an integer, µs since 1970/],
]

test('readBody: what is refused names its index, path and rule, and only it is refused', () => {
  for (const [bad, path, message] of refusals) {
    const { rows, rejections } = read(`[${whole()},${bad},${whole()}]`)
    assert.equal(rows.length, 2, bad.slice(0, 200))
    assert.deepEqual([rejections[0]?.index, rejections[0]?.path], [1, `events[1]${path}`])
    assert.match(rejections[0]?.message ?? '', message)
  }
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
})

test('readBody: -0 is 0, and integers are told by their digits, not by how they are written', () => {
  const { rows } = read(`[${whole('"items":-0,"revenue":-0.0')},${whole('"items":15.0e1,"revenue":2.5E-1')}]`)
  assert.deepEqual(
    rows.map((row) => [row[4], row[5]]),
    [
      [0, 0],
      [150, 0.25],
    ],
  )
  const { rows: ids } = read(whole().replace('"a"', '123456789012345678901234567890'))
  assert.equal(ids[0]?.[0], '123456789012345678901234567890')
})

test('readBody: texts that events share are the same text, and those that only look alike are not', () => {
  const regions = Array.from({ length: 10_000 }, (_, at) => String(10_000 + ((at * 7) % 5_000)))
  const { rows } = read(`[${regions.map((region) => whole().replace('eu', region)).join(',')}]`)
  assert.deepEqual(
    rows.map((row) => row[2]),
    regions,
  )
})

test('readBody: depth is bounded before anything recursive runs', () => {
  const deep = (levels: number) => whole(`"note":${'['.repeat(levels)}${']'.repeat(levels)}`)
  assert.match(read(deep(JSON_DEPTH_MAX)).rejections[0]?.message ?? '', /events are flat/)
  for (const body of [deep(JSON_DEPTH_MAX + 1), '['.repeat(200_000), `${'{"a":'.repeat(200_000)}1`])
    assert.throws(() => read(body), { ...notJson, message: /at most 32 levels \(JSON_DEPTH_MAX\)/ })
  const { rows, rejections } = read(`${whole()}\n${deep(100_000)}\n${whole()}`, 'ndjson')
  assert.equal(rows.length, 2)
  assert.deepEqual([rejections[0]?.index, rejections[0]?.path], [1, 'events[1]'])
})

test('readBody: keys of one event are bounded', () => {
  const keys = (count: number) => `{${Array.from({ length: count }, (_, key) => `"k${key}":1`).join(',')}}`
  assert.equal(read(keys(EVENT_KEYS_MAX)).rejections[0]?.path, 'events[0].k0')
  for (const count of [EVENT_KEYS_MAX + 1, 90_000])
    assert.throws(() => read(keys(count)), { ...notJson, message: /EVENT_KEYS_MAX/ })
})

test('readBody: events of one body, and bytes of one event, are bounded', () => {
  const tooMany = `[${'0,'.repeat(EVENTS_MAX)}0]`
  assert.throws(() => read(tooMany), {
    name: 'TrueNowError',
    code: 'TN_BODY_TOO_LARGE',
    message: /EVENTS_MAX/,
  })
  assert.equal(read(`[${'0,'.repeat(EVENTS_MAX - 1)}0]`).received, EVENTS_MAX)
  assert.ok(ROWS_BYTES_MAX > 2 * 65_536, 'else two long texts would not fit an event')
})

test('readBody: what is not UTF-8 is refused whole, also inside a string', () => {
  const body = Buffer.from(whole('"note":"caf?"'))
  body[body.indexOf('?')] = 0xe9
  assert.throws(() => readBody(body, 'json', eventsSchema, NOW_US), { ...notJson, message: /UTF-8/ })
  assert.throws(() => read(''), { ...notJson, message: /expected a JSON value at character 0/ })
  assert.throws(() => read(`\ufeff[]`), notJson)
  assert.deepEqual(read('', 'ndjson'), { received: 0, rows: [], rejections: [] })
  assert.deepEqual(read(' [ ] '), { received: 0, rows: [], rejections: [] })
  assert.equal(read('\u00a0', 'ndjson').rejections.length, 1)
  const { rows, rejections } = read(`${whole()}\n{"event_id":x}\n{"event_id":"a`, 'ndjson')
  assert.deepEqual(
    [rows.length, ...rejections.map(({ message }) => message)],
    [
      1,
      'is not JSON: expected a JSON value at character 12 of its line',
      'is not JSON: expected the end of a string at character 14 of its line',
    ],
  )
})
