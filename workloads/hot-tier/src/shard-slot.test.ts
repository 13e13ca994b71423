import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { TableView } from '@truenow/chassis/catalog-view.ts'
import { SubscribeEventSchema } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { fold, type LogRecord, logOf, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import fc from 'fast-check'
import { slotInHand } from './testing/slot-in-hand.ts'

const [first] = VERSIONS as [(typeof VERSIONS)[0]]
type EventInit = NonNullable<MessageInitShape<typeof SubscribeEventSchema>['event']>
const told = (event: EventInit) => create(SubscribeEventSchema, { event }).event

function scene(versions: readonly (typeof VERSIONS)[0][] = VERSIONS) {
  const time = { nowUs: 1_800_000_000_000_000 }
  const table: TableView = {
    definition: versions.at(-1) ?? first,
    definitions: new Map(versions.map((one) => [one.version, one])),
    topic: 't',
    uid: 'u',
    slots: [],
  }
  const clock = { nowUs: () => time.nowUs, monotonicMs: () => 0 }
  const slot = slotInHand({ table, clock, replica: new SlotReplica(first) })
  return { slot, time, table }
}
/** A record as the stream tells it; `previousOffset` is the record's before it. */
function eventOf(record: LogRecord, previousOffset: number) {
  const place = {
    previousOffset: BigInt(previousOffset),
    offset: BigInt(record.at.offset),
    appendTimeUs: BigInt(record.appendTimeUs),
    checksum: record.at.checksum,
  }
  return record.definition === undefined
    ? told({ case: 'deadLetter', value: { ...place, reason: 'no block' } })
    : told({ case: 'block', value: { ...place, value: record.value } })
}
const eventsOf = (records: readonly LogRecord[]) =>
  records.map((record, index) => eventOf(record, records[index - 1]?.at.offset ?? -1))
const heartbeat = (endOffset: number, position: number, atUs: number) =>
  told({ case: 'heartbeat', value: { endOffset: BigInt(endOffset), position: BigInt(position), atUs: BigInt(atUs) } }) // biome-ignore format: one line
const dataLoss = (firstOffset: number, resumeOffset: number) =>
  told({ case: 'dataLoss', value: { firstOffset: BigInt(firstOffset), resumeOffset: BigInt(resumeOffset) } })

test('ShardSlot: a stream that begins anywhere at or below the cursor, any number of times, gives one and the same state', () => {
  fc.assert(
    fc.property(
      fc.nat(1 << 30),
      fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 8 }),
      (seed, streams) => {
        const records = logOf(seed, 40)
        const events = eventsOf(records)
        const { slot } = scene()
        const expected = new SlotReplica(first)
        let applied = 0
        // Each stream tells [from, to) of the log; the last one tells all of it.
        for (const [from, length] of [...streams, [0, 40] as const]) {
          const begin = Math.min(from, applied)
          for (const event of events.slice(begin, begin + length)) assert.equal(slot.take(event), 'taken')
          for (; applied < Math.min(begin + length, 40); applied++)
            fold(expected, records[applied] as LogRecord)
          assert.equal(slot.replica.stateHash(), expected.stateHash())
        }
        assert.equal(applied, 40)
      },
    ),
    { numRuns: 30 },
  )
})

test('ShardSlot: a block whose predecessor is not the cursor ends the stream and changes nothing', () => {
  const records = logOf(3, 12)
  const events = eventsOf(records)
  const { slot } = scene()
  for (const event of events.slice(0, 5)) slot.take(event)
  const hash = slot.replica.stateHash()
  assert.equal(slot.take(events[6]!), 'broken-chain')
  const [sixth, fourth] = [records[5], records[3]] as [LogRecord, LogRecord]
  assert.equal(slot.take(eventOf(sixth, fourth.at.offset)), 'broken-chain')
  assert.equal(slot.replica.stateHash(), hash)
  assert.equal(slot.take(events[5]!), 'taken')
})

test('ShardSlot: what the way garbled, or what does not fit its version, is refused whole', () => {
  const block = logOf(3, 20).find(({ definition }) => definition?.version === 1)
  assert.ok(block !== undefined)
  const garbled = Buffer.from(block.value)
  garbled[40] = (garbled[40] ?? 0) ^ 1
  const narrower = { ...first, columns: first.columns.slice(1) }
  const cases = [
    { versions: VERSIONS, value: garbled, code: 'TN_BLOCK_CORRUPT' },
    { versions: [narrower], value: block.value, code: 'TN_BLOCK_CORRUPT' },
    { versions: VERSIONS.slice(1), value: block.value, code: 'TN_TABLE_UNKNOWN' },
  ]
  for (const { versions, value, code } of cases) {
    const { slot } = scene(versions)
    const hash = slot.replica.stateHash()
    assert.throws(() => slot.take(eventOf({ ...block, value }, -1)), { code })
    assert.deepEqual([slot.replica.stateHash(), slot.replica.cursor.offset], [hash, -1])
  }
})

test('ShardSlot: a data loss is noted once, wherever the stream begins again', () => {
  const { slot } = scene()
  for (const event of eventsOf(logOf(3, 5))) slot.take(event)
  const { offset } = slot.replica.cursor
  assert.equal(slot.take(dataLoss(offset + 2, offset + 9)), 'broken-chain')
  assert.equal(slot.take(dataLoss(offset + 1, offset + 9)), 'taken')
  const hash = slot.replica.stateHash()
  assert.equal(slot.take(dataLoss(offset + 1, offset + 9)), 'taken')
  assert.equal(slot.take(dataLoss(0, offset + 1)), 'taken')
  assert.deepEqual([slot.replica.stateHash(), slot.replica.cursor.offset], [hash, offset + 8])
  assert.equal(slot.replica.gaps.length, 1)
})

test('ShardSlot: an idle log lifts the reported watermark, by the earlier clock, and never the state', () => {
  const { slot, time } = scene([first])
  const { idleTimeoutUs, allowedLatenessUs } = first
  const idleUs = idleTimeoutUs + allowedLatenessUs
  const hash = slot.replica.stateHash()
  slot.take(heartbeat(5, 3, time.nowUs))
  assert.equal(slot.watermarkUs, 0, 'its stream is not at the end')
  slot.take(heartbeat(5, 4, time.nowUs - 7))
  assert.equal(slot.watermarkUs, time.nowUs - 7 - idleUs)
  slot.take(heartbeat(5, 4, time.nowUs + 9e12))
  assert.equal(slot.watermarkUs, time.nowUs - idleUs)
  slot.take(heartbeat(5, 4, 1))
  assert.equal(slot.watermarkUs, time.nowUs - idleUs, 'it never goes back')
  assert.deepEqual([slot.replica.stateHash(), slot.endOffset], [hash, 5])
})

test('ShardSlot: a rewritten log ends the stream, stops the slot and says so', () => {
  const { slot } = scene()
  const event = told({ case: 'logRewritten', value: { endOffset: 0n } })
  assert.equal(slot.take(event), 'log-rewritten')
  assert.match(slot.stalledReason, /^LogRewritten: /)
  assert.equal(slot.isServing, false)
})

test('ShardSlot: who waits for an offset is woken by it, by the time or by leaving, and told which', async () => {
  const { slot } = scene()
  const never = new AbortController()
  const events = eventsOf(logOf(3, 5))
  const [, , third] = logOf(3, 5) as [LogRecord, LogRecord, LogRecord]
  const reached = slot.reached(third.at.offset, 10_000, never.signal)
  for (const event of events) slot.take(event)
  assert.equal(await reached, true)
  const beyond = slot.replica.cursor.offset + 1
  assert.equal(await slot.reached(beyond, 1, never.signal), false)
  const leaving = slot.reached(beyond, 10_000, never.signal)
  never.abort()
  assert.equal(await leaving, false)
  const lost = slot.reached(beyond, 10_000, new AbortController().signal)
  slot.take(dataLoss(beyond, beyond + 3))
  assert.equal(await lost, true)
})

test('ShardSlot: at the end of the log the hash is of this moment, else of the last 256th offset', () => {
  const records = logOf(3, 5)
  const { slot } = scene()
  for (const event of eventsOf(records)) slot.take(event)
  const { offset } = slot.replica.cursor
  assert.notEqual(slot.currentHash().offset, offset)
  slot.take(heartbeat(offset + 1, offset, 1))
  assert.deepEqual(slot.currentHash(), { offset, hex: slot.replica.stateHash() })
})
