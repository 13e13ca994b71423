import assert from 'node:assert/strict'
import { encodeEventId } from '@truenow/contracts/event-id.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import { buildColumns } from '@truenow/kernels/ingest/build-columns.ts'
import { compileEventSchema } from '@truenow/kernels/ingest/event-schema.ts'
import { type BodyFormat, readBody } from '@truenow/kernels/ingest/read-body.ts'

/*
 * From the bytes of a body to columns: ours, with every check, beside JSON.parse and the plainest column builder, which
 * checks nothing. Both must give the same columns. One JSON line a row: events a second of CPU time, all threads of the
 * process and so collecting garbage too, which a busy machine distorts least; medians over RUNS runs, in turns.
 * `ratio` is ours / peer.
 */
const EVENTS = 20_000
const RUNS = 15
const WARM_UPS = 8
const NOW_US = 1_754_772_400_000_000

const definition: TableDefinition = {
  namespace: 'production',
  name: 'events',
  version: 1,
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'product', type: 'string', nullable: false },
    { name: 'user_id', type: 'string', nullable: false },
    { name: 'latency_us', type: 'int64', nullable: true },
    { name: 'revenue', type: 'float64', nullable: false },
    { name: 'items', type: 'int64', nullable: false },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: ['user_id'],
  slots: 8,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 10_000_000,
  dedupWindowUs: 600_000_000,
  maxFutureSkewUs: 60_000_000,
  idleTimeoutUs: 10_000_000,
  onMemoryFull: 'Evict',
}
const schema = compileEventSchema(definition)

type Event = Record<string, string | number | null>

/** Events of the quickstart's table, about 190 bytes each; a fixed sequence, so that every run reads the same bytes. */
function someEvents(product: (index: number) => string): Event[] {
  let state = 1
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const hex = (digits: number) => Array.from({ length: digits }, () => '0123456789abcdef'[below(16)]).join('')
  return Array.from({ length: EVENTS }, (_, index) => ({
    event_id: `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    event_time_us: NOW_US - below(60_000_000),
    region: ['us-east', 'us-west', 'eu-central', 'ap-south'][below(4)] as string,
    product: product(below(50)),
    user_id: `user-${below(5_000)}`,
    ...(below(10) === 0 ? {} : { latency_us: below(500_000) }),
    revenue: below(1_000_000) / 100,
    items: 1 + below(9),
    index, // Taken off again below: it only keeps the literal's shape alike.
  })).map(({ index: _, ...event }) => event)
}

const ours = (body: Buffer, format: BodyFormat): Column[] => {
  const { rows, rejections } = readBody(body, format, schema, NOW_US)
  assert.equal(rejections.length, 0)
  return buildColumns(schema, rows)
}

/** What one would write first: parse all, then one loop a column. */
function peer(body: Buffer, format: BodyFormat): Column[] {
  const text = body.toString('utf8')
  const events: Event[] =
    format === 'json'
      ? JSON.parse(text)
      : text
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line))
  return schema.columns.map(({ name, kind, nullable }): Column => {
    if (kind === 'id') {
      const values = new Uint8Array(events.length * 16)
      for (const [row, event] of events.entries()) encodeEventId(String(event[name]), values, row * 16)
      return { type: 'id128', values }
    }
    if (kind === 'string') {
      const codeOf = new Map<string, number>()
      const codes = new Uint32Array(events.length)
      for (const [row, event] of events.entries()) {
        const text = String(event[name])
        if (!codeOf.has(text)) codeOf.set(text, codeOf.size)
        codes[row] = codeOf.get(text) as number
      }
      return { type: 'string', codes, dictionary: [...codeOf.keys()] }
    }
    const values = new Float64Array(events.length)
    const validity = new Uint8Array(Math.ceil(events.length / 8))
    for (const [row, event] of events.entries()) {
      const value = event[name] ?? null
      values[row] = Number(value)
      if (value !== null) validity[row >>> 3]! |= 1 << (row & 7)
    }
    const type = kind === 'float64' ? 'float64' : kind === 'int64' ? 'int64' : 'timestamp'
    return { type, values, ...(nullable ? { validity } : {}) }
  })
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number

function measure(row: string, body: Buffer, format: BodyFormat): void {
  assert.deepEqual(ours(body, format), peer(body, format))
  const rates = { ours: [] as number[], peer: [] as number[] }
  for (let run = -WARM_UPS; run < RUNS; run++) {
    for (const [name, decode] of [['ours', ours] as const, ['peer', peer] as const]) {
      const before = process.cpuUsage()
      decode(body, format)
      const { user, system } = process.cpuUsage(before)
      if (run >= 0) rates[name].push((EVENTS / (user + system)) * 1_000_000)
    }
  }
  const [mine, theirs] = [Math.round(median(rates.ours)), Math.round(median(rates.peer))]
  const ratio = Number((mine / theirs).toFixed(2))
  console.log(
    JSON.stringify({ bench: 'decode-events', row, ours: mine, peer: theirs, unit: 'events/CPU-s', ratio }),
  )
}

const bytes = (text: string) => Buffer.from(text, 'utf8')
const plain = someEvents((index) => `widget-${index}`)
const unicode = someEvents((index) => `Größe "${index}" – 小部件`)
measure('JSON array', bytes(JSON.stringify(plain)), 'json')
measure('NDJSON', bytes(plain.map((event) => JSON.stringify(event)).join('\n')), 'ndjson')
measure('JSON array, indented', bytes(JSON.stringify(plain, null, 2)), 'json')
measure('JSON array, escapes and unicode', bytes(JSON.stringify(unicode)), 'json')
