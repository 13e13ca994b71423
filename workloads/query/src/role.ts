import type { CachePort } from '@truenow/chassis/cache-port.ts'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth, type Health } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import { leavePolitely } from '@truenow/chassis/leave-politely.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown } from '@truenow/chassis/shutdown.ts'
import { ERROR_CODES, TrueNowError } from '@truenow/contracts/errors.ts'
import { Query } from '@truenow/contracts/gen/truenow/v1/query_pb.ts'
import { createAdmission } from './admission.ts'
import { type AnswerParts, type Ask, answerQuery } from './answer-query.ts'
import type { QueryConfig } from './config.ts'
import { createQueryMetrics, type QueryMetrics } from './metrics.ts'
import { createSlotReader } from './read-slots.ts'
import { createResultCache } from './result-cache.ts'
import { queryRoute } from './routes/query.ts'
import { tablesRoute } from './routes/tables.ts'
import type { ConnectShard } from './shard-client.ts'

export type QueryPorts = Readonly<{
  catalog: CatalogClient
  /** Undefined: no result cache. */
  cache: CachePort | undefined
  connectShard: ConnectShard
}>
/** Bytes of a statement: 10,000 filter values of 100 bytes fit. */
const BODY_BYTES_MAX = 2 << 20
const CACHE_CHECK_MS = 5_000

/** Starts the query role: HTTP and gRPC in, plan, ask shards, merge, rows with their truth out. Holds no state that matters. */
export async function startQuery(
  config: QueryConfig,
  context: RoleContext,
  ports: QueryPorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const health = createHealth({ role: 'query', version, clock })
  const metrics = createQueryMetrics(registry)
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const reader = createSlotReader(ports, config, clock, metrics)
  shutdown.onClose('shards', reader.close)
  const admission = createAdmission(config.TRUENOW_QUERY_RUNNING_MAX, config.TRUENOW_QUERY_WAITING_MAX)
  const identity = {
    kubernetesNamespace: config.TRUENOW_KUBERNETES_NAMESPACE,
    cluster: config.TRUENOW_CLUSTER,
  }
  const cache =
    ports.cache === undefined || config.QUERY_CACHE_TTL === 0
      ? undefined
      : createResultCache(ports.cache, identity, config.QUERY_CACHE_TTL)
  if (cache !== undefined) shutdown.onClose('cache writes', cache.settled)
  const ask = counted(
    {
      catalog: ports.catalog,
      clock,
      admission,
      readSlots: reader.read,
      cache,
      timeoutMs: config.TRUENOW_QUERY_TIMEOUT_MS,
    },
    metrics,
  )
  shutdown.onClose('watch of catalog and cache', watch(ports, health, metrics))

  const grpc = createGrpcServer({ role: 'query', log, registry, health, tls: context.tls })
  grpc.add(Query, {
    query: async ({ json }, { signal }) => ({ json: (await ask(parseJson(json), signal)).text }),
  })
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)
  const http = createHttpServer({ role: 'query', context, health, bodyBytesMax: BODY_BYTES_MAX })
  http.app.removeContentTypeParser('text/plain') // A statement is JSON; anything else is told so by 415.
  queryRoute(http.app, { ask })
  tablesRoute(http.app, { catalog: ports.catalog })
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', () => leavePolitely(context, { health, http }))
  log.info({ httpPort, grpcPort }, 'query started')
  return {
    httpAddress: `${config.TRUENOW_HOST}:${httpPort}`,
    grpcAddress: `${config.TRUENOW_HOST}:${grpcPort}`,
    close: shutdown.close,
  }
}

/** Ready once a catalog is known; degraded, and slower, while the cache is away. */
function watch({ catalog, cache }: QueryPorts, health: Health, metrics: QueryMetrics): () => Promise<void> {
  const follow = () => health.setReady(catalog.current() !== undefined, 'waiting for the catalog')
  follow()
  const stop = catalog.onChange(follow)
  const check = async () => {
    const reachable = (await cache?.reachable()) ?? true
    const reason = 'Redis does not answer; results are not cached'
    if (cache !== undefined) metrics.cacheUp.set({ system: 'redis' }, reachable ? 1 : 0)
    health.setCheck('cache', reachable ? { status: 'healthy' } : { status: 'degraded', reason })
  }
  const timer = cache === undefined ? undefined : setInterval(() => void check(), CACHE_CHECK_MS)
  return async () => {
    stop()
    clearInterval(timer)
  }
}

function counted(parts: AnswerParts, metrics: QueryMetrics): Ask {
  return async (body, signal) => {
    const startedMs = parts.clock.monotonicMs()
    let outcome = 'failed'
    try {
      const answered = await answerQuery(body, parts, signal)
      const { complete, partial, regressed, missing_slots: missing, stats } = answered.head
      outcome = partial ? 'partial' : complete ? 'complete' : 'incomplete'
      metrics.missingSlots.inc(missing.length)
      if (regressed) metrics.regressed.inc()
      metrics.cache.inc({ use: stats.cache })
      return answered
    } catch (error) {
      outcome = outcomeOf(error, signal)
      throw error
    } finally {
      metrics.statements.inc({ outcome })
      metrics.statementSeconds.observe((parts.clock.monotonicMs() - startedMs) / 1_000)
      metrics.running.set(parts.admission.running())
      metrics.waiting.set(parts.admission.waiting())
    }
  }
}

function outcomeOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'cancelled'
  if (!(error instanceof TrueNowError)) return 'failed'
  if (error.code === 'TN_OVERLOADED') return 'overloaded'
  if (error.code === 'TN_QUERY_INCOMPLETE') return 'incomplete'
  return ERROR_CODES[error.code].statusCode < 500 ? 'refused' : 'failed'
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new TrueNowError('TN_QUERY_INVALID', `The statement is no JSON: ${(cause as Error).message}.`, {
      cause,
    })
  }
}
