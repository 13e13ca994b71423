import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { leavePolitely } from '@truenow/chassis/leave-politely.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown } from '@truenow/chassis/shutdown.ts'
import { Ingest } from '@truenow/contracts/gen/truenow/v1/ingest_pb.ts'
import { answerIngest } from './answer-ingest.ts'
import type { GatewayConfig } from './config.ts'
import { createRowIngest } from './ingest-rows.ts'
import { createGatewayMetrics } from './metrics.ts'
import { readMessages } from './read-messages.ts'
import { eventsRoute } from './routes/events.ts'

export type GatewayPorts = Readonly<{ kafka: KafkaPort; catalog: CatalogClient }>

const PROBE_MS = 2_000

/** Starts the gateway. It holds only what waits for Kafka, and answers for it only once Kafka did. */
export async function startGateway(
  config: GatewayConfig,
  context: RoleContext,
  { kafka, catalog }: GatewayPorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const health = createHealth({ role: 'gateway', version, clock })
  const metrics = createGatewayMetrics(registry)
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const rowsMax = config.STREAM_INGESTER_BATCH_SIZE
  const ingest = createRowIngest({ kafka, clock, metrics, rowsMax }, config.TRUENOW_BUFFER_BYTES_MAX)
  const parts = { catalog, ingest, metrics }

  const probe = async () => {
    const reachable = await kafka.reachable()
    metrics.kafkaUp.set(reachable ? 1 : 0)
    health.setCheck(
      'kafka',
      reachable
        ? { status: 'healthy' }
        : { status: 'degraded', reason: kafka.trouble()?.message ?? 'no broker answers' },
    )
    health.setReady(catalog.current() !== undefined, 'waiting for the catalog')
  }
  await probe()
  const timer = setInterval(() => void probe(), PROBE_MS)
  const stopListening = catalog.onChange(() => void probe())
  shutdown.onClose('rows', ingest.close)

  const grpc = createGrpcServer({ role: 'gateway', log, registry, health, tls: context.tls })
  grpc.add(Ingest, {
    ingest: async ({ table, events }) => {
      const read = (schema: Parameters<typeof readMessages>[1]) => readMessages(events, schema, clock.nowUs())
      const answer = await answerIngest(parts, table?.namespace ?? '', table?.name ?? '', read)
      const positions = Object.entries(answer.positions).map(([slot, offset]) => ({
        slot: Number(slot),
        offset: BigInt(offset),
      }))
      const { received, accepted, rejected, errors: rejections } = answer
      return { received, accepted, rejected, rejections: [...rejections], positions }
    },
  })
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)
  const bodyBytesMax = config.TRUENOW_BODY_BYTES_MAX
  const http = createHttpServer({ role: 'gateway', context, health, bodyBytesMax })
  eventsRoute(http.app, parts, clock, bodyBytesMax)
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', async () => {
    clearInterval(timer)
    stopListening()
    await leavePolitely(context, { health, http })
  })
  return {
    httpAddress: `${config.TRUENOW_HOST}:${httpPort}`,
    grpcAddress: `${config.TRUENOW_HOST}:${grpcPort}`,
    close: shutdown.close,
  }
}
