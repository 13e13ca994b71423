import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@truenow/chassis/clock.ts'
import { loadConfig } from '@truenow/chassis/config.ts'
import { type Client, createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { createLog } from '@truenow/chassis/log.ts'
import type { RunningRole } from '@truenow/chassis/running-role.ts'
import { createStaticCatalog } from '@truenow/chassis/testing/static-catalog.ts'
import { BlockStream, type SubscribeEvent } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import { Registry } from 'prom-client'
import { IngesterConfig } from '../src/config.ts'
import { startIngester } from '../src/role.ts'

export type LogUnderTest = Readonly<{
  kafka: KafkaPort
  truncate: (topic: string, partition: number, startOffset: number) => Promise<void>
  close: () => Promise<void>
}>

const TAIL_BYTES_MAX = 65_536
const definition = (version: number): TableDefinition => ({
  namespace: 'a',
  name: 'b',
  version,
  columns: [{ name: 'n', type: 'int64', nullable: false }],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 16,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 0,
  dedupWindowUs: 0,
  maxFutureSkewUs: 0,
  idleTimeoutUs: 0,
  onMemoryFull: 'Evict',
})

/** A block of `rows` rows whose int64 column counts up from `first`. */
function blockOf(first: number, rows = 1, version = 1): Buffer {
  return encodeBlock(version, rows, [
    { type: 'id128', values: new Uint8Array(16 * rows).fill(first & 255) },
    { type: 'timestamp', values: new Float64Array(rows).fill(1_000_000 + first) },
    { type: 'int64', values: Float64Array.from({ length: rows }, (_, row) => first + row) },
  ])
}

/** A catalog that the test holds in its hand. */
function catalogInHand(topic: string) {
  const snapshotOf = (versions: number) => ({
    revision: BigInt(versions),
    catalogId: 'c',
    tables: [
      {
        topic,
        versionsJson: Array.from({ length: versions }, (_, at) => JSON.stringify(definition(at + 1))),
      },
    ],
  })
  const { client, set } = createStaticCatalog(snapshotOf(1))
  return { client, setVersions: (versions: number) => set(snapshotOf(versions)) }
}

/** What the ingester promises its subscribers, over the log in memory and over real Kafka. */
export function ingesterCases(name: string, open: () => Promise<LogUnderTest>): void {
  let under: LogUnderTest
  let role: RunningRole
  let client: Client<typeof BlockStream>
  let catalog: ReturnType<typeof catalogInHand>
  const topic = `ingester.${process.pid}`
  let nextSlot = 0

  before(async () => {
    under = await open()
    await under.kafka.createTopic(topic, { partitions: 16, replicationFactor: 1, config: {} })
    catalog = catalogInHand(topic)
    const log = createLog({ role: 'ingester', level: 'ERROR' })
    const context = { log, clock: systemClock, registry: new Registry(), pod: 'test', version: '0' }
    const config = loadConfig(IngesterConfig, {
      TRUENOW_HOST: '127.0.0.1',
      TRUENOW_HTTP_PORT: '0',
      TRUENOW_GRPC_PORT: '0',
      TRUENOW_CONTROL_PLANE: 'nobody:1',
      TRUENOW_KAFKA_BROKERS: 'nobody:1',
      TRUENOW_TAIL_BYTES_MAX: String(TAIL_BYTES_MAX),
    })
    role = await startIngester(config, context, { kafka: under.kafka, catalog: catalog.client })
    client = createGrpcClient(BlockStream, role.grpcAddress)
  })
  after(async () => {
    client?.close()
    await role?.close()
    await under?.close()
  })

  const subscribe = (slot: number, cursor = { offset: -1n, checksum: 0 }) => {
    const leaving = new AbortController()
    const events: SubscribeEvent['event'][] = []
    const read = async () => {
      const request = { table: { namespace: 'a', name: 'b' }, slot, cursor }
      for await (const { event } of client.subscribe(request, { signal: leaving.signal })) events.push(event)
    }
    const ended = read()
    ended.catch(() => {}) // Whoever expects the failure looks at `ended`.
    const blocks = () => events.flatMap((event) => (event.case === 'block' ? [event.value] : []))
    const leave = async () => {
      leaving.abort()
      await ended
    }
    return { events, blocks, ended, leave }
  }
  const freshSlot = () => nextSlot++
  const write = async (slot: number, value: Buffer) => (await under.kafka.produce(topic, slot, value)).offset

  test(`${name}: a subscriber gets every record once, in order, chained, and heartbeats at the end`, async () => {
    const slot = freshSlot()
    for (let index = 0; index < 3; index++) await write(slot, blockOf(index))
    const stream = subscribe(slot)
    await eventually(() => stream.blocks().length === 3)
    await write(slot, blockOf(3))
    await eventually(() => stream.blocks().length === 4)
    assert.deepEqual(
      stream.blocks().map(({ previousOffset, offset }) => [previousOffset, offset]),
      [
        [-1n, 0n],
        [0n, 1n],
        [1n, 2n],
        [2n, 3n],
      ],
    )
    assert.deepEqual(Buffer.from(stream.blocks()[3]?.value ?? []), blockOf(3))
    assert.equal(stream.blocks()[3]?.checksum, crc32c(blockOf(3)))
    await eventually(() =>
      stream.events.some((event) => event.case === 'heartbeat' && event.value.endOffset === 4n),
    )
    const beats = () => stream.events.filter((event) => event.case === 'heartbeat').length
    const before = beats()
    await eventually(() => beats() >= before + 2)
    await stream.leave()
  })

  test(`${name}: a subscriber goes on from its cursor`, async () => {
    const slot = freshSlot()
    for (let index = 0; index < 5; index++) await write(slot, blockOf(index))
    const stream = subscribe(slot, { offset: 2n, checksum: crc32c(blockOf(2)) })
    await eventually(() => stream.blocks().length === 2)
    assert.deepEqual(
      stream.blocks().map(({ previousOffset, offset }) => [previousOffset, offset]),
      [
        [2n, 3n],
        [3n, 4n],
      ],
    )
    await stream.leave()
  })

  test(`${name}: one behind the kept records is served from Kafka and then joins the tail, without gap or double`, async () => {
    const slot = freshSlot()
    const first = subscribe(slot)
    const count = 24
    for (let index = 0; index < count; index++) await write(slot, blockOf(index, 500)) // Beyond what a tail keeps.
    await eventually(() => first.blocks().length === count)
    const late = subscribe(slot)
    await eventually(() => late.blocks().length === count)
    await write(slot, blockOf(99))
    await eventually(() => late.blocks().length === count + 1 && first.blocks().length === count + 1)
    for (const stream of [first, late]) {
      assert.deepEqual(
        stream.blocks().map(({ offset }) => Number(offset)),
        Array.from({ length: count + 1 }, (_, at) => at),
      )
      assert.deepEqual(
        stream.blocks().map(({ previousOffset }) => Number(previousOffset)),
        Array.from({ length: count + 1 }, (_, at) => at - 1),
      )
    }
    await Promise.all([first.leave(), late.leave()])
  })

  test(`${name}: what cannot be read is a dead letter in its place, the same for every subscriber`, async () => {
    const slot = freshSlot()
    const flipped = blockOf(1)
    flipped[40] = (flipped[40] ?? 0) ^ 1
    for (const value of [blockOf(0), Buffer.from('not a block'), flipped, blockOf(0, 1, 0), blockOf(4)])
      await write(slot, value)
    const streams = [subscribe(slot), subscribe(slot)]
    for (const stream of streams) {
      await eventually(() => stream.events.filter(({ case: kind }) => kind !== 'heartbeat').length === 5)
      const kinds = stream.events
        .filter(({ case: kind }) => kind !== 'heartbeat')
        .map(({ case: kind }) => kind)
      assert.deepEqual(kinds, ['block', 'deadLetter', 'deadLetter', 'deadLetter', 'block'])
      const dead = stream.events.flatMap((event) => (event.case === 'deadLetter' ? [event.value.reason] : []))
      assert.match(dead.join('\n'), /TNB1|too few[\s\S]*CRC-32C[\s\S]*version 0 never was/)
      await stream.leave()
    }
  })

  test(`${name}: a version that the catalog does not have yet is waited for, never a dead letter`, async () => {
    const slot = freshSlot()
    await write(slot, blockOf(0, 1, 2))
    const stream = subscribe(slot)
    await sleep(500)
    assert.equal(stream.blocks().length, 0)
    catalog.setVersions(2)
    await eventually(() => stream.blocks().length === 1)
    await stream.leave()
  })

  test(`${name}: another record at the cursor, or a log that ends before it, is LogRewritten and the end`, async () => {
    const slot = freshSlot()
    await write(slot, blockOf(0))
    const other = subscribe(slot, { offset: 0n, checksum: 12_345 })
    await other.ended
    const [event] = other.events
    assert.equal(event?.case === 'logRewritten' && event.value.foundChecksum, crc32c(blockOf(0)))
    const beyond = subscribe(slot, { offset: 7n, checksum: 1 })
    await beyond.ended
    const [gone] = beyond.events
    assert.deepEqual(gone?.case === 'logRewritten' && [gone.value.foundChecksum, gone.value.endOffset], [
      undefined,
      1n,
    ])
  })

  test(`${name}: records gone by retention are DataLoss with the exact gap, and the stream goes on behind it`, async () => {
    const slot = freshSlot()
    for (let index = 0; index < 6; index++) await write(slot, blockOf(index))
    await under.truncate(topic, slot, 4)
    const stream = subscribe(slot, { offset: 1n, checksum: crc32c(blockOf(1)) })
    await eventually(() => stream.blocks().length === 2)
    const [loss] = stream.events
    assert.deepEqual(loss?.case === 'dataLoss' && [loss.value.firstOffset, loss.value.resumeOffset], [2n, 4n])
    assert.deepEqual(
      stream.blocks().map(({ previousOffset, offset }) => [previousOffset, offset]),
      [
        [3n, 4n],
        [4n, 5n],
      ],
    )
    await stream.leave()
    const nothingLost = subscribe(slot, { offset: 3n, checksum: 1 })
    await eventually(() => nothingLost.blocks().length === 2)
    assert.equal(nothingLost.events[0]?.case, 'block')
    await nothingLost.leave()
  })

  test(`${name}: one that has nothing yet is told that the log has lost its beginning, then gets what is there`, async () => {
    const slot = freshSlot()
    for (let index = 0; index < 5; index++) await write(slot, blockOf(index))
    await under.truncate(topic, slot, 3)
    const stream = subscribe(slot)
    await eventually(() => stream.blocks().length === 2)
    const [loss] = stream.events
    assert.deepEqual(loss?.case === 'dataLoss' && [loss.value.firstOffset, loss.value.resumeOffset], [0n, 3n])
    assert.equal(stream.blocks()[0]?.previousOffset, 2n)
    await stream.leave()
  })

  test(`${name}: unknown tables and slots are refused in words; progress names every slot that is read`, async () => {
    const wrong = client.subscribe({ table: { namespace: 'a', name: 'b' }, slot: 99 })
    await assert.rejects(async () => void (await Array.fromAsync(wrong)), { code: 'TN_REQUEST_INVALID' })
    const unknown = client.subscribe({ table: { namespace: 'a', name: 'nothing' }, slot: 0 })
    await assert.rejects(async () => void (await Array.fromAsync(unknown)), { code: 'TN_TABLE_UNKNOWN' })
    const anew = client.subscribe({ table: { namespace: 'a', name: 'b' }, slot: 0, tableUid: 'made anew' })
    await assert.rejects(async () => void (await Array.fromAsync(anew)), {
      code: 'TN_TABLE_UNKNOWN',
      message: /uid made anew/,
    })
    const { slots } = await client.getProgress({})
    assert.ok(slots.length >= 5)
    assert.ok(slots.every(({ table, position, endOffset }) => table?.name === 'b' && position < endOffset))
  })
}

async function eventually(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 15_000
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, 'not within 15 s')
    await sleep(20)
  }
}
