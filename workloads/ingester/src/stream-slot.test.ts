import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaPort, KafkaRecord, Take } from '@truenow/chassis/kafka-port.ts'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { createIngesterMetrics } from './metrics.ts'
import { type Judge, SlotTail } from './slot-tail.ts'
import { type StreamEvent, streamSlot } from './stream-slot.ts'

const WALL_US = 1_700_000_000_000_000
const asBlock: Judge = async () => ({ kind: 'block' }) as Awaited<ReturnType<Judge>>

/** A stream from the log's start whose fetches are answered by hand, under a clock that stands until it is moved. */
function openStream(judge: Judge = asBlock) {
  const time = { ms: 1_000 }
  const clock = { nowUs: () => WALL_US + time.ms * 1_000, monotonicMs: () => time.ms }
  const leaving = new AbortController()
  const log: KafkaRecord[] = []
  let take: Take | undefined
  const kafka: Partial<KafkaPort> = {
    followPartition: (_position, taken, signal) => {
      take = taken
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
    },
    readRecord: async (_topic, _slot, offset) => log[offset],
  }
  const parts = { kafka: kafka as KafkaPort, clock, topic: 't', slot: 0, judge }
  const tail = new SlotTail(
    { ...parts, table: { namespace: 'a', name: 'b' }, bytesMax: 1 << 20, onBytes: () => {} },
    0,
  )
  const metrics = createIngesterMetrics(new Registry())
  const check = { kind: 'go-on', nextOffset: 0, outcome: 'origin' } as const
  const cursor = { offset: -1, checksum: 0 }
  const stream = streamSlot({ ...parts, metrics, tail }, cursor, check, leaving.signal)
  /** One fetch answers with so many records, up to the end of the log, at this moment. */
  const answer = async (count: number) => {
    const first = log.length
    for (let offset = first; offset < first + count; offset++)
      log.push({ offset, timestampMs: 1, headers: {}, value: Buffer.from([offset & 255]) })
    const place = { nextOffset: log.length, endOffset: log.length, fetchedAtMs: time.ms }
    await take?.(log.slice(first), place)
  }
  const close = async () => {
    leaving.abort()
    await stream.return(undefined)
    await tail.close()
  }
  const next = async (): Promise<StreamEvent['event']> => (await stream.next()).value?.event
  return { time, tail, answer, next, close }
}

test('heartbeats end with the fetches: one that was told is never told again', async () => {
  const { time, answer, next, close } = openStream()
  await answer(0)
  assert.equal((await next())?.case, 'heartbeat')
  time.ms += 10_000
  const later = next()
  const early = await Promise.race([later, sleep(500, 'silent' as const)])
  assert.equal(early, 'silent')
  await answer(0)
  const beat = await later
  assert.equal(beat?.case === 'heartbeat' && beat.value.atUs, BigInt(WALL_US + time.ms * 1_000))
  await close()
})

test('a heartbeat bears the time of its fetch, however long its records waited for their table version', async () => {
  let judged = () => {}
  const judge: Judge = async (value, signal) => {
    await new Promise<void>((resolve) => {
      judged = resolve
    })
    return asBlock(value, signal)
  }
  const { time, tail, answer, next, close } = openStream(judge)
  const fetchedAtUs = WALL_US + time.ms * 1_000
  const answered = answer(1)
  time.ms += 30_000
  judged()
  await answered
  assert.equal(tail.fetchedAtUs, fetchedAtUs)
  assert.equal((await next())?.case, 'block')
  const beat = await next()
  assert.equal(beat?.case === 'heartbeat' && beat.value.atUs, BigInt(fetchedAtUs))
  await close()
})

test('law: a heartbeat covers exactly what was sent before it, whatever came meanwhile', async () => {
  const counts = fc.array(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 12 })
  const holds = fc.asyncProperty(counts, async (answers) => {
    const { time, answer, next, close } = openStream()
    await answer(1)
    let sent = -1n
    for (const count of answers) {
      const coming = next() // It stands before or behind an event, or waits for the answer below.
      time.ms += 1_000
      await answer(count)
      const event = await coming
      if (event?.case === 'block') {
        assert.equal(event.value.offset, sent + 1n)
        sent += 1n
      }
      if (event?.case === 'heartbeat') assert.equal(event.value.position, sent)
    }
    await close()
  })
  await fc.assert(holds, { numRuns: 50 })
})
