import assert from 'node:assert/strict'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { loadConfig } from '@truenow/chassis/config.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createStaticCatalog } from '@truenow/chassis/testing/static-catalog.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Ingest } from '@truenow/contracts/gen/truenow/v1/ingest_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { BLOCK_BYTES_MAX, blockMismatch, decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { valueAt } from '@truenow/contracts/wire/column.ts'
import { eventsTable } from '@truenow/kernels/ingest/testing/events-table.ts'
import { Registry } from 'prom-client'
import { GatewayConfig } from '../src/config.ts'
import { startGateway } from '../src/role.ts'

export type LogUnderTest = Readonly<{ kafka: KafkaPort; close: () => Promise<void> }>
/** One row as the log holds it: the table's own columns, without the id, which is kept as a digest. */
export type LoggedRow = Readonly<{ slot: number; offset: number; timeUs: number; values: readonly unknown[] }>
export type Answer = Readonly<{
  received: number
  accepted: number
  rejected: number
  errors: ReadonlyArray<Readonly<{ index: number; path: string; code: string; message: string }>>
  positions: Readonly<Record<string, number>>
}>
export type Failure = Readonly<{
  error: Readonly<{ code: string; message: string; details: Readonly<Record<string, unknown>> }>
}>

export const SLOTS = 4
export const table: TableDefinition = {
  ...eventsTable,
  version: 2,
  columns: eventsTable.columns.filter(({ name }) => name !== 'shipped_us'),
  slots: SLOTS,
}

/** A door in front of the log: closed, appends wait behind it; broken, they fail as if no broker had answered. */
function doorBefore(kafka: KafkaPort) {
  let door = Promise.resolve()
  let open = () => {}
  let broken = false
  const produce: KafkaPort['produce'] = async (...record) => {
    await door
    if (broken) throw new TrueNowError('TN_KAFKA_UNAVAILABLE', 'The test said that no broker answers.')
    return kafka.produce(...record)
  }
  return {
    kafka: { ...kafka, produce },
    close: () => {
      const next = Promise.withResolvers<void>()
      door = next.promise
      open = next.resolve
    },
    open: () => open(),
    setBroken: (next: boolean) => {
      broken = next
    },
  }
}

const catalogOf = (topic: string): CatalogClient =>
  createStaticCatalog({
    revision: 1n,
    catalogId: 'c',
    tables: [{ topic, versionsJson: [JSON.stringify(table)] }],
  }).client

let topics = 0

/** A gateway with its real servers before an empty topic of its own. */
export async function openGateway({ kafka }: LogUnderTest, settings: Readonly<Record<string, string>> = {}) {
  const topic = `gateway.${process.pid}.${topics++}`
  const config = { 'max.message.bytes': String(BLOCK_BYTES_MAX + 65_536) }
  await kafka.createTopic(topic, { partitions: SLOTS, replicationFactor: 1, config })
  const door = doorBefore(kafka)
  const registry = new Registry()
  const log = createLog({ role: 'gateway', level: 'ERROR' })
  const role = await startGateway(
    loadConfig(GatewayConfig, {
      TRUENOW_HOST: '127.0.0.1',
      TRUENOW_HTTP_PORT: '0',
      TRUENOW_GRPC_PORT: '0',
      TRUENOW_CONTROL_PLANE: 'nobody:1',
      TRUENOW_KAFKA_BROKERS: 'nobody:1',
      ...settings,
    }),
    { log, clock: systemClock, registry, pod: 'test', version: '0' },
    { kafka: door.kafka, catalog: catalogOf(topic) },
  )
  const client = createGrpcClient(Ingest, role.grpcAddress)
  const url = (name: string) => `http://${role.httpAddress}/v1/namespaces/production/tables/${name}/events`
  const send = (body: string | Buffer, type = 'application/json', headers: Record<string, string> = {}) =>
    fetch(url('events'), { method: 'POST', headers: { 'content-type': type, ...headers }, body })
  const accepted = async (body: string, type?: string): Promise<Answer> => {
    const response = await send(body, type)
    const answer = await response.json()
    assert.equal(response.status, 200, JSON.stringify(answer))
    return answer as Answer
  }
  /** The sum over all labels of a metric, as a scrape would show it. */
  const metric = async (name: string, reason?: string): Promise<number> => {
    const { values = [] } = (await registry.getSingleMetric(`truenow_gateway_${name}`)?.get()) ?? {}
    const fitting = values.filter(({ labels }) => reason === undefined || labels.reason === reason)
    return fitting.reduce((sum, { value }) => sum + value, 0)
  }
  const logged = () => readLog(kafka, topic)
  const close = async () => {
    door.open()
    client.close()
    await role.close()
  }
  return { role, client, url, send, accepted, metric, logged, close, door }
}

async function readLog(kafka: KafkaPort, topic: string): Promise<LoggedRow[]> {
  const rows: LoggedRow[] = []
  for (let slot = 0; slot < SLOTS; slot++) {
    const { startOffset, endOffset } = await kafka.offsetRange(topic, slot)
    for (let offset = startOffset; offset < endOffset; offset++) {
      const record = await kafka.readRecord(topic, slot, offset)
      assert.ok(record !== undefined && record.value.length <= BLOCK_BYTES_MAX)
      const block = decodeBlock(record.value)
      assert.equal(blockMismatch(block, table), undefined)
      const [, time, ...own] = block.columns
      for (let row = 0; row < block.rowCount; row++) {
        const values = own.map((column) => valueAt(column, row))
        rows.push({ slot, offset, timeUs: time === undefined ? 0 : Number(valueAt(time, row)), values })
      }
    }
  }
  return rows
}
