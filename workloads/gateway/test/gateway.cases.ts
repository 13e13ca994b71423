import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@truenow/chassis/clock.ts'
import { slotOf } from '@truenow/contracts/partition-hash.ts'
import { type Answer, type Failure, type LogUnderTest, openGateway, SLOTS } from './gateway-under-test.ts'

const NDJSON = 'application/x-ndjson'
const tableRef = { namespace: 'production', name: 'events' }
const REGIONS = ['us', 'eu', 'ap', 'sa', 'af', 'me', 'oc']
const nowUs = systemClock.nowUs()
type Event = Record<string, unknown>

const event = (index: number, more: Event = {}): Event => ({
  event_id: `e${index}`,
  event_time_us: nowUs - index,
  region: REGIONS[index % REGIONS.length],
  items: index,
  ...more,
})
const events = (count: number, from = 0) => Array.from({ length: count }, (_, at) => event(from + at))
const json = JSON.stringify
const itemsOf = (rows: ReadonlyArray<Readonly<{ values: readonly unknown[] }>>) =>
  rows.map(({ values }) => Number(values[2]))
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
const failure = async (response: Response) => ((await response.json()) as Failure).error

/** What the gateway promises its clients, over the log in memory and over real Kafka. */
export function gatewayCases(name: string, open: () => Promise<LogUnderTest>): void {
  let under: LogUnderTest
  before(async () => {
    under = await open()
  })
  after(() => under?.close())

  type Gateway = Awaited<ReturnType<typeof openGateway>>
  const promise = (what: string, run: (gateway: Gateway) => Promise<void>, settings = {}) =>
    test(`${name}: ${what}`, async () => {
      const gateway = await openGateway(under, settings)
      try {
        await run(gateway)
      } finally {
        await gateway.close()
      }
    })

  promise(
    'an array, one object and NDJSON come into the log, each at the positions answered',
    async (gateway) => {
      const { accepted, logged } = gateway
      const answers: Answer[] = [
        await accepted(json(events(50))),
        await accepted(json(event(50)), 'application/json; charset=utf-8'),
        await accepted(
          `${events(20, 51)
            .map((one) => json(one))
            .join('\n')}\n`,
          NDJSON,
        ),
        await accepted(json(event(71)), 'Application/X-NDJSON'),
      ]
      assert.deepEqual(
        answers.map(({ received, accepted: taken, rejected }) => [received, taken, rejected]),
        [
          [50, 50, 0],
          [1, 1, 0],
          [20, 20, 0],
          [1, 1, 0],
        ],
      )
      const rows = await logged()
      assert.deepEqual(sorted(itemsOf(rows)), upTo(72))
      for (const { slot, timeUs, values } of rows) {
        const items = Number(values[2])
        assert.deepEqual(
          [timeUs, ...values],
          [nowUs - items, REGIONS[items % REGIONS.length], null, items, null, null],
        )
        assert.equal(slot, slotOf([String(values[0])], SLOTS), 'a slot is the hash of the key')
      }
      let from = 0
      for (const { received, positions } of answers) {
        const mine = rows.filter(
          ({ values }) => Number(values[2]) >= from && Number(values[2]) < from + received,
        )
        const last = Object.fromEntries(mine.map(({ slot, offset }) => [slot, offset]))
        assert.deepEqual(positions, last)
        from += received
      }
    },
  )

  promise(
    'a slot holds the events of requests in their order, in blocks of the size set',
    async (gateway) => {
      const sameKey = (count: number, from: number) =>
        json(events(count, from).map((one) => ({ ...one, region: 'eu' })))
      await gateway.accepted(sameKey(250, 0))
      await gateway.accepted(sameKey(3, 250))
      const rows = await gateway.logged()
      assert.deepEqual(itemsOf(rows), upTo(253))
      const sizes = Map.groupBy(rows, ({ offset }) => offset)
      assert.deepEqual(
        [...sizes.values()].map(({ length }) => length),
        [100, 100, 50, 3],
      )
    },
    { STREAM_INGESTER_BATCH_SIZE: '100' },
  )

  promise('a body of many large events becomes several blocks that Kafka takes', async (gateway) => {
    const large = upTo(100).map((index) =>
      event(index, { region: 'eu', note: String.fromCodePoint(0x4e00 + index).repeat(21_000) }),
    )
    await gateway.accepted(json(large))
    const rows = await gateway.logged()
    assert.deepEqual(itemsOf(rows), upTo(100))
    assert.ok(new Set(rows.map(({ offset }) => offset)).size > 1)
  })

  promise(
    'bad events are refused one by one; the good ones of the batch are kept',
    async ({ accepted, send, logged }) => {
      const batch = events(1_000)
      batch[17] = event(17, { revenue: 'much' })
      batch[500] = event(500, { regoin: 'eu' })
      batch[999] = event(999, { event_time_us: Math.round(nowUs / 1_000) })
      const { errors, ...counts } = await accepted(json(batch))
      assert.deepEqual([counts.received, counts.accepted, counts.rejected], [1_000, 997, 3])
      assert.deepEqual(
        errors.map(({ index, path, code }) => [index, path, code]),
        [
          [17, 'events[17].revenue', 'TN_EVENT_INVALID'],
          [500, 'events[500].regoin', 'TN_EVENT_INVALID'],
          [999, 'events[999].event_time_us', 'TN_EVENT_INVALID'],
        ],
      )
      assert.match(errors[1]?.message ?? '', /did you mean "region"\?/)
      assert.match(errors[2]?.message ?? '', /looks like milliseconds/)
      assert.deepEqual(
        sorted(itemsOf(await logged())),
        upTo(1_000).filter((at) => ![17, 500, 999].includes(at)),
      )
      const none = await send(json([{}, 7]))
      const { code, message, details } = await failure(none)
      assert.deepEqual([none.status, code, details.rejected], [422, 'TN_EVENT_INVALID', 2])
      assert.match(message, /None of 2 events was good; the first: events\[0\]\.event_id is missing/)
    },
  )

  promise('nothing is answered before the log acknowledged', async ({ send, logged, metric, door }) => {
    door.close()
    let answered = false
    const response = send(json(events(10))).finally(() => {
      answered = true
    })
    await sleep(300)
    assert.deepEqual([answered, await metric('produced_events_total')], [false, 0])
    assert.equal((await logged()).length, 0)
    assert.ok((await metric('buffered_bytes')) > 0)
    door.open()
    assert.equal((await response).status, 200)
    assert.equal((await logged()).length, 10)
    assert.equal(await metric('buffered_bytes'), 0)
  })

  promise('a log that fails never gives a 200, and is used again when it is back', async (gateway) => {
    const { send, accepted, client, metric, logged, door } = gateway
    door.setBroken(true)
    const response = await send(json([...events(3), {}]))
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'])
    assert.equal((await failure(response)).code, 'TN_KAFKA_UNAVAILABLE')
    const message = { eventId: 'x', eventTimeUs: BigInt(nowUs), columns: { region: textValue('eu') } }
    await assert.rejects(client.ingest({ table: tableRef, events: [message] }), {
      code: 'TN_KAFKA_UNAVAILABLE',
    })
    assert.equal(await metric('rejected_events_total', 'unavailable'), 4)
    assert.ok((await metric('unknown_appends_total')) >= 2)
    assert.deepEqual([await metric('buffered_bytes'), (await logged()).length], [0, 0])
    door.setBroken(false)
    await accepted(json(events(3)))
    assert.equal((await logged()).length, 3)
  })

  promise(
    'the buffer is bounded: 503 with Retry-After once it is full, then room again',
    async (gateway) => {
      const { send, metric, door, logged } = gateway
      const big = (from: number) => json(upTo(10).map((at) => event(from + at, { note: 'x'.repeat(30_000) })))
      door.close()
      const waiting = [0, 10, 20].map((from) => send(big(from)))
      await until(async () => (await metric('buffered_bytes')) > 900_000)
      const full = await send(big(30))
      assert.deepEqual([full.status, full.headers.get('retry-after')], [503, '1'])
      const { code, details } = await failure(full)
      assert.deepEqual([code, details.limit], ['TN_OVERLOADED', 'TRUENOW_BUFFER_BYTES_MAX'])
      const never = await send(json(upTo(40).map((at) => event(at, { note: 'x'.repeat(30_000) }))))
      assert.deepEqual([never.status, (await failure(never)).code], [413, 'TN_BODY_TOO_LARGE'])
      assert.equal(await metric('rejected_events_total', 'overloaded'), 50)
      door.open()
      for (const response of await Promise.all(waiting)) assert.equal(response.status, 200)
      assert.equal((await send(big(30))).status, 200)
      assert.deepEqual(sorted(itemsOf(await logged())), upTo(40))
    },
    { TRUENOW_BUFFER_BYTES_MAX: String(1 << 20) },
  )

  promise(
    'received = rejected + produced after mixed traffic, and produced is what the log holds',
    async (gateway) => {
      const { send, client, metric, logged, door } = gateway
      const traffic = (round: number) => [
        send(json(events(40, round * 100))),
        send(json([event(round), {}, event(round + 1, { items: 1.5 })])),
        send(`${json(event(1))}\nnot json\n${json(event(2))}`, NDJSON),
        send('[', 'application/json'),
        client
          .ingest({
            table: tableRef,
            events: [
              { eventId: `g${round}`, eventTimeUs: BigInt(nowUs), columns: { region: textValue('eu') } },
              {},
            ],
          })
          .catch(() => undefined),
      ]
      await Promise.all(upTo(10).flatMap(traffic))
      door.setBroken(true)
      await Promise.all(upTo(5).flatMap(traffic))
      door.setBroken(false)
      await Promise.all(upTo(5).flatMap(traffic))
      const received = await metric('received_events_total')
      const produced = await metric('produced_events_total')
      assert.equal(received, 20 * (40 + 3 + 3 + 2))
      assert.equal(received, produced + (await metric('rejected_events_total')))
      assert.equal(produced, 15 * (40 + 1 + 2 + 1))
      assert.equal((await logged()).length, produced)
    },
  )

  promise(
    'what is no request for events is refused by its status and code',
    async ({ url, send, metric }) => {
      const long = 'x'.repeat(70_000)
      const post = (headers: Record<string, string>, body: string | Buffer, table = 'events') =>
        fetch(url(table), { method: 'POST', headers, body })
      const type = { 'content-type': 'application/json' }
      const cases: ReadonlyArray<readonly [Promise<Response>, number, string, RegExp]> = [
        [send(json([event(0, { note: long })])), 413, 'TN_BODY_TOO_LARGE', /too large/],
        [send(long, NDJSON), 413, 'TN_BODY_TOO_LARGE', /too large/],
        [send('<event/>', 'text/xml'), 415, 'TN_MEDIA_TYPE_UNSUPPORTED', /text\/xml|media type/i],
        [post({}, Buffer.from(json(event(0)))), 415, 'TN_MEDIA_TYPE_UNSUPPORTED', /media type/i],
        [post({ ...type, 'content-encoding': 'gzip' }, 'x'), 415, 'TN_MEDIA_TYPE_UNSUPPORTED', /gzip/],
        [post(type, json(event(0)), 'evnts'), 404, 'TN_TABLE_UNKNOWN', /did you mean 'events'\?/],
        [post(type, json(event(0)), '__proto__'), 404, 'TN_TABLE_UNKNOWN', /There is no table '__proto__'/],
        [send(''), 400, 'TN_REQUEST_INVALID', /./],
        [send(`[${json(event(0))}`), 400, 'TN_REQUEST_INVALID', /not JSON: expected .* at character/],
        [send(Buffer.from([0x22, 0xff, 0x22])), 400, 'TN_REQUEST_INVALID', /UTF-8/],
        [send('['.repeat(60_000)), 400, 'TN_REQUEST_INVALID', /72 levels/],
        [send('['.repeat(60_000), NDJSON), 422, 'TN_EVENT_INVALID', /JSON_DEPTH_MAX/],
        [
          send('{"__proto__":{"polluted":1}}'),
          422,
          'TN_EVENT_INVALID',
          /events\[0\]\.__proto__ is not a column/,
        ],
      ]
      for (const [sent, status, code, message] of cases) {
        const response = await sent
        const error = await failure(response)
        assert.deepEqual([response.status, error.code], [status, code], error.message)
        assert.match(error.message, message)
      }
      assert.equal(({} as { polluted?: number }).polluted, undefined)
      const empty = await send('[]')
      assert.deepEqual(
        [empty.status, await empty.json()],
        [200, { received: 0, accepted: 0, rejected: 0, errors: [], positions: {} }],
      )
      assert.equal(await metric('produced_events_total'), 0)
    },
    { TRUENOW_BODY_BYTES_MAX: '65536' },
  )

  promise(
    'gRPC gives the verdicts of HTTP for the same events, and the same slots',
    async ({ send, client, logged }) => {
      const http = (await (await send(`[${same.map(({ text }) => text).join()}]`)).json()) as Answer
      const grpc = await client.ingest({ table: tableRef, events: same.map(({ message }) => message) })
      assert.deepEqual([grpc.received, grpc.accepted], [http.received, http.accepted])
      // How far ahead a time lies depends on when each was asked.
      const told = (message: string) => message.replace(/lies [\d.]+ s ahead/, 'lies ahead')
      assert.deepEqual(
        grpc.rejections.map(({ index, path, code, message }) => ({
          index,
          path,
          message: told(message),
          code,
        })),
        http.errors.map(({ index, path, code, message }) => ({ index, path, message: told(message), code })),
      )
      assert.ok(grpc.accepted >= 3 && http.rejected >= 12)
      const halves = (await logged()).map(({ slot, values }) => json([slot, values])).toSorted()
      for (let at = 0; at < halves.length; at += 2) assert.equal(halves[at], halves[at + 1])
      assert.equal(halves.length, 2 * grpc.accepted)
      for (const { slot, offset } of grpc.positions)
        assert.ok(Number(offset) > (http.positions[slot] ?? Number.NaN))
      const unknown = client.ingest({ table: { namespace: 'production', name: 'evnts' }, events: [] })
      await assert.rejects(unknown, { code: 'TN_TABLE_UNKNOWN', message: /did you mean 'events'/ })
      await assert.rejects(client.ingest({ table: tableRef, events: [{}] }), { code: 'TN_EVENT_INVALID' })
    },
  )

  promise('closing answers what is in flight, writes it, and takes nothing more', async (gateway) => {
    const { role, send, client, door, logged } = gateway
    door.close()
    const inFlight = send(json(events(20)))
    const called = client.ingest({
      table: tableRef,
      events: [{ eventId: 'g', eventTimeUs: BigInt(nowUs), columns: { region: textValue('eu') } }],
    })
    await until(async () => (await gateway.metric('received_events_total')) === 21)
    const closing = role.close()
    await sleep(50)
    const late = await send(json(events(1, 99))).then(
      ({ status }) => status,
      () => 'refused',
    )
    assert.ok(late === 503 || late === 'refused', String(late))
    door.open()
    assert.equal((await inFlight).status, 200)
    assert.equal((await called).accepted, 1)
    const answeredMs = performance.now()
    await closing
    assert.ok(
      performance.now() - answeredMs < 5_000,
      'clients that keep their connections must not hold it up',
    )
    assert.equal((await logged()).length, 21)
    await assert.rejects(send(json(events(1))))
  })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 15_000
  while (!(await condition())) {
    assert.ok(performance.now() < giveUpAt, 'not within 15 s')
    await sleep(5)
  }
}

const textValue = (value: string) => ({ kind: { case: 'stringValue' as const, value } })
const intValue = (value: bigint) => ({ kind: { case: 'int64Value' as const, value } })
const doubleValue = (value: number) => ({ kind: { case: 'float64Value' as const, value } })
const boolValue = (value: boolean) => ({ kind: { case: 'boolValue' as const, value } })
type Value =
  | ReturnType<typeof textValue | typeof intValue | typeof doubleValue | typeof boolValue>
  | { kind: { case: undefined } }
const nothing: Value = { kind: { case: undefined } }

/** One event in both forms; at most one thing is wrong with it, because only HTTP has an order of members. */
function inBothForms(
  columns: Readonly<Record<string, readonly [text: string, value: Value]>>,
  id = 'id',
  timeUs = BigInt(nowUs),
) {
  const members = Object.entries({ region: ['"eu"', textValue('eu')] as const, ...columns })
  const text = members.map(([key, [value]]) => `,${json(key)}:${value}`).join('')
  const values = members.map(([key, [, value]]) => [key, value] as const)
  return {
    text: `{"event_id":${json(id)},"event_time_us":${timeUs}${text}}`,
    message: { eventId: id, eventTimeUs: timeUs, columns: Object.fromEntries(values) },
  }
}
const same = [
  inBothForms({}),
  inBothForms({ note: ['"\\u00fc😀"', textValue('ü😀')], items: ['-7', intValue(-7n)] }),
  inBothForms({
    revenue: ['0.1', doubleValue(0.1)],
    paid: ['true', boolValue(true)],
    note: ['null', nothing],
  }),
  inBothForms({ items: ['5', doubleValue(5)], revenue: ['-0', doubleValue(-0)] }),
  inBothForms({ region: ['null', nothing] }),
  inBothForms({ region: ['7', intValue(7n)] }),
  inBothForms({ items: ['9007199254740993', intValue(9_007_199_254_740_993n)] }),
  inBothForms({ items: ['0.5', doubleValue(0.5)] }),
  inBothForms({ revenue: ['1e999', doubleValue(Number.POSITIVE_INFINITY)] }),
  inBothForms({ revenue: ['"1"', textValue('1')] }),
  inBothForms({ paid: ['1', intValue(1n)] }),
  inBothForms({ note: ['"a\\u0000"', textValue('a\0')] }),
  inBothForms({ note: [json('é'.repeat(40_000)), textValue('é'.repeat(40_000))] }),
  inBothForms({ itemz: ['1', intValue(1n)] }),
  inBothForms({ ['__proto__']: ['1', intValue(1n)] }),
  inBothForms({ ['x'.repeat(99)]: ['1', intValue(1n)] }),
  inBothForms({}, ''),
  inBothForms({}, 'i'.repeat(257)),
  inBothForms({}, 'id', 0n),
  inBothForms({}, 'id', BigInt(nowUs) / 1_000n),
  inBothForms({}, 'id', BigInt(nowUs) * 2n),
  inBothForms({}, 'id', 9_007_199_254_740_993n),
]
