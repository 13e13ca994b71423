import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { TableView } from '@truenow/chassis/catalog-view.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { leavePolitely } from '@truenow/chassis/leave-politely.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown } from '@truenow/chassis/shutdown.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { BlockStream, type SubscribeRequest } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { checkCursor } from './check-cursor.ts'
import type { IngesterConfig } from './config.ts'
import { judgeRecord } from './judge-record.ts'
import { createIngesterMetrics, type IngesterMetrics } from './metrics.ts'
import type { Judge, SlotTail } from './slot-tail.ts'
import { createSlotTails, type SlotTails } from './slot-tails.ts'
import { rewrittenEvent, type StreamEvent, streamSlot } from './stream-slot.ts'

export type IngesterPorts = Readonly<{ kafka: KafkaPort; catalog: CatalogClient }>
type Parts = IngesterPorts & Readonly<{ context: RoleContext; metrics: IngesterMetrics; tails: SlotTails }>

const KAFKA_PROBE_MS = 2_000
const CATALOG_WAIT_MS = 2_000

/** Starts the ingester: it holds nothing that cannot be read again, and any ingester can serve any slot. */
export async function startIngester(
  config: IngesterConfig,
  context: RoleContext,
  ports: IngesterPorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const health = createHealth({ role: 'ingester', version, clock })
  const metrics = createIngesterMetrics(registry)
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const tails = createSlotTails(context, metrics, config.TRUENOW_TAIL_BYTES_MAX)
  shutdown.onClose('tails', tails.close)

  let kafkaSeen = false
  const probe = async () => {
    const reachable = await ports.kafka.reachable()
    metrics.kafkaUp.set(reachable ? 1 : 0)
    kafkaSeen ||= reachable
    health.setCheck(
      'kafka',
      reachable
        ? { status: 'healthy' }
        : { status: 'degraded', reason: ports.kafka.trouble()?.message ?? 'no broker answers' },
    )
    const catalog = ports.catalog.current() !== undefined
    health.setReady(kafkaSeen && catalog, catalog ? 'waiting for Kafka' : 'waiting for the catalog')
  }
  await probe()
  const timer = setInterval(() => void probe(), KAFKA_PROBE_MS)
  const stopListening = ports.catalog.onChange(() => void probe())
  shutdown.onClose('probe', async () => {
    clearInterval(timer)
    stopListening()
  })

  const parts = { ...ports, context, metrics, tails }
  const grpc = createGrpcServer({ role: 'ingester', log, registry, health, tls: context.tls })
  grpc.add(BlockStream, {
    subscribe: (request, { signal }) => subscribe(parts, request, signal),
    getProgress: async () => ({ slots: Array.from(tails.all(), progressOf) }),
  })
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)
  const http = createHttpServer({ role: 'ingester', context, health })
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', () => leavePolitely(context, { health, http }))
  return {
    httpAddress: `${config.TRUENOW_HOST}:${httpPort}`,
    grpcAddress: `${config.TRUENOW_HOST}:${grpcPort}`,
    close: shutdown.close,
  }
}

async function* subscribe(
  parts: Parts,
  request: SubscribeRequest,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const { kafka, metrics, tails, context } = parts
  const { namespace = '', name = '' } = request.table ?? {}
  const { slot } = request
  const table = await knownTable(parts.catalog, request, signal)
  const { topic, uid } = table
  const cursor = { offset: Number(request.cursor?.offset ?? -1n), checksum: request.cursor?.checksum ?? 0 }
  const check = await checkCursor(kafka, { topic, slot }, cursor)
  metrics.cursorChecks.inc({ outcome: check.kind === 'go-on' ? check.outcome : check.kind })
  if (check.kind !== 'go-on')
    context.log.warn({ namespace, table: name, slot, cursor, check }, 'cursor check failed')
  const judge = judgeFor(parts, namespace, name)
  if (check.kind === 'log-rewritten') {
    yield rewrittenEvent(cursor, check)
    return
  }
  const start = check.kind === 'go-on' ? check.nextOffset : check.resumeOffset
  const { tail, release } = tails.acquire(`${namespace}.${name}/${slot} ${uid}`, start, {
    table: { namespace, name },
    topic,
    slot,
    kafka,
    judge,
  })
  try {
    yield* streamSlot(
      { tail, kafka, metrics, topic, slot, judge, clock: context.clock },
      cursor,
      check,
      signal,
    )
  } finally {
    release()
  }
}

/** The table, waiting a moment for the catalog: a shard may hear of a new table before this ingester does. */
async function knownTable(
  catalog: CatalogClient,
  request: SubscribeRequest,
  signal: AbortSignal,
): Promise<TableView> {
  const { namespace = '', name = '' } = request.table ?? {}
  const { slot, tableUid } = request
  // Whichever of the two catalogs is the older one: another table of this name has another log.
  const find = () => {
    const table = catalog.current()?.table(namespace, name)
    return tableUid === '' || table?.uid === tableUid ? table : undefined
  }
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(CATALOG_WAIT_MS)])
  while (find() === undefined && !giveUp.aborted) await catalogChanged(catalog, giveUp)
  const table = find()
  if (table === undefined)
    throw new TrueNowError(
      'TN_TABLE_UNKNOWN',
      `The catalog has no table ${namespace}.${name}${tableUid === '' ? '' : ` with uid ${tableUid}`}.`,
    )
  if (slot >= table.definition.slots) {
    const message = `Slot ${slot} of ${namespace}.${name} does not exist; it has ${table.definition.slots}.`
    throw new TrueNowError('TN_REQUEST_INVALID', message)
  }
  return table
}

/** Judges records of one table; a version that the catalog here does not have yet stalls the slot, visibly. */
function judgeFor(parts: Parts, namespace: string, name: string): Judge {
  return async (value, signal) => {
    for (;;) {
      const definitions = parts.catalog.current()?.table(namespace, name)?.definitions ?? new Map()
      const verdict = judgeRecord(value, definitions)
      if (verdict.kind !== 'unknown-version') {
        parts.metrics.records.inc({ verdict: verdict.kind })
        parts.metrics.bytes.inc(value.length)
        return verdict
      }
      parts.metrics.unknownVersions.inc()
      parts.context.log.warn(
        { namespace, table: name, version: verdict.version },
        'waiting for a table version',
      )
      await catalogChanged(parts.catalog, signal)
      if (signal.aborted) throw new TrueNowError('TN_SHUTTING_DOWN', 'Nobody waits for this record any more.')
    }
  }
}

function catalogChanged(catalog: CatalogClient, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = catalog.onChange(done)
    function done() {
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}

const progressOf = ({ table, slot, nextOffset, endOffset, fetchedAtUs, subscribers }: SlotTail) => ({
  table,
  slot,
  position: BigInt(nextOffset - 1),
  endOffset: BigInt(endOffset),
  fetchedAtUs: BigInt(fetchedAtUs),
  subscribers,
})
