import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { CatalogView } from '@truenow/chassis/catalog-view.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import { leavePolitely } from '@truenow/chassis/leave-politely.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown } from '@truenow/chassis/shutdown.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Watermark } from '@truenow/contracts/gen/truenow/v1/watermark_pb.ts'
import type { WatermarkConfig } from './config.ts'
import { freshnessMessage } from './freshness-message.ts'
import type { Patience } from './judge-replica.ts'
import { type JudgeNow, judgeTable } from './judge-table.ts'
import { createWatermarkMetrics } from './metrics.ts'
import { createObservations, slotKey } from './observations.ts'
import { createPeerPoll, type PollPorts } from './poll-peers.ts'
import { freshnessRoutes } from './routes/freshness.ts'
import { showFreshness } from './show-freshness.ts'
import { createToldWatermarks } from './told-watermarks.ts'

export type WatermarkPorts = PollPorts & Readonly<{ catalog: CatalogClient }>
const LAGGING_MS = 2_000
const ACTIVE_MS = 5_000

/** Starts the watermark role. It holds no state that matters: all is rebuilt from what shards and ingesters tell. */
export async function startWatermark(
  config: WatermarkConfig,
  context: RoleContext,
  ports: WatermarkPorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const health = createHealth({ role: 'watermark', version, clock })
  const metrics = createWatermarkMetrics(registry)
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const observations = createObservations(clock)
  const poll = createPeerPoll(ports, observations, metrics, config.TRUENOW_WATERMARK_POLL_MS)
  const judgeNow = createJudge(ports.catalog, observations, config, context)

  const tick = () => {
    const view = ports.catalog.current()
    health.setReady(view !== undefined, 'waiting for the catalog')
    if (view === undefined) return
    poll.tick(view)
    showFreshness(judgeNow(), metrics, health)
  }
  tick()
  const timer = setInterval(tick, config.TRUENOW_WATERMARK_POLL_MS)
  const stopListening = ports.catalog.onChange(tick)
  shutdown.onClose('poll', async () => {
    clearInterval(timer)
    stopListening()
    await poll.close()
  })

  const grpc = createGrpcServer({ role: 'watermark', log, registry, health, tls: context.tls })
  grpc.add(Watermark, {
    getFreshness: async ({ table }) => ({
      tables: judgeNow(table === undefined ? undefined : table).map(freshnessMessage),
    }),
  })
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)
  const http = createHttpServer({ role: 'watermark', context, health })
  freshnessRoutes(http.app, { judgeNow })
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', () => leavePolitely(context, { health, http }))
  log.info({ httpPort, grpcPort }, 'watermark started')
  return {
    httpAddress: `${config.TRUENOW_HOST}:${httpPort}`,
    grpcAddress: `${config.TRUENOW_HOST}:${grpcPort}`,
    close: shutdown.close,
  }
}

function createJudge(
  catalog: CatalogClient,
  observations: ReturnType<typeof createObservations>,
  config: WatermarkConfig,
  context: RoleContext,
): JudgeNow {
  const told = createToldWatermarks()
  const patience: Patience = {
    unknownMs: config.TRUENOW_WATERMARK_UNKNOWN_MS,
    laggingMs: LAGGING_MS,
    stalledMs: config.TRUENOW_WATERMARK_STALLED_MS,
    activeMs: ACTIVE_MS,
  }
  catalog.onChange((view) => told.keepOnly(slotKeys(view)))
  return (only) => {
    const view = catalog.current()
    if (view === undefined) {
      throw new TrueNowError(
        'TN_CATALOG_UNAVAILABLE',
        'No catalog has come from the control plane yet; ask again.',
      )
    }
    const one = only && view.table(only.namespace, only.name)
    const tables = only === undefined ? view.tables() : one === undefined ? [] : [one]
    return tables.map((table) => judgeTable(table, observations, told, patience, context.clock.nowUs()))
  }
}

const slotKeys = (view: CatalogView): ReadonlySet<string> =>
  new Set(
    view
      .tables()
      .flatMap(({ definition: { namespace, name }, slots }) =>
        slots.map(({ slot }) => slotKey(namespace, name, slot)),
      ),
  )
