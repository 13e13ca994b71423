import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth, type Health } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown, type Shutdown } from '@truenow/chassis/shutdown.ts'
import { Rebalancer } from '@truenow/contracts/gen/truenow/v1/rebalancer_pb.ts'
import { createAdmissionPolicy } from './admission-policy.ts'
import type { AskPodTls } from './certificates/ask-pod-tls.ts'
import type { OperatorConfig } from './config.ts'
import { createLoop } from './create-loop.ts'
import { createHeatWatch } from './heat-watch.ts'
import { createEventRecorder } from './kubernetes/event-recorder.ts'
import type { KubernetesMetrics } from './kubernetes/kubernetes-metrics.ts'
import type { KubernetesPort } from './kubernetes/kubernetes-port.ts'
import { createLeaderLease, type LeaderLease, type LeaseTimings } from './kubernetes/leader-lease.ts'
import { createReflector } from './kubernetes/reflector.ts'
import { createWorkQueue } from './kubernetes/work-queue.ts'
import { createLeaderEpochs } from './leader-epochs.ts'
import { createOperatorMetrics, type OperatorMetrics } from './metrics.ts'
import type { Operands } from './operands.ts'
import type { OperatorContext } from './operator-context.ts'
import { rebalancerRoutes } from './rebalancer-routes.ts'
import { createRebalancerService } from './rebalancer-service.ts'
import { createSilenceWatch } from './silence-watch.ts'
import { type WatchedObjects, watchObjects } from './watched-objects.ts'
import { operandsWhileLeading, portWhileLeading } from './while-leading.ts'

export type OperatorPorts = Readonly<{
  connectKubernetes: (metrics: KubernetesMetrics) => Promise<KubernetesPort>
  operands: Operands
  random: () => number
  askPodTls: AskPodTls
  /** Ends the process: a leader that lost its Lease must not write once more, and a deaf watch is best begun anew. */
  giveUp: () => void
  /** @default as the Lease has them; a test that kills operators by the hundred has no time for them */
  leaseTimings?: Partial<LeaseTimings>
}>

/** A watch that heard nothing, not even a bookmark, for three times its longest time-out is dead. */
const DEAF_MS_MAX = 3 * 480_000
const DEAF_CHECK_MS = 30_000

/** Starts the operator: caches first, then the Lease, and only then the loop. A follower keeps its caches warm. */
export async function startOperator(
  config: OperatorConfig,
  context: RoleContext,
  ports: OperatorPorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const health = createHealth({ role: 'operator', version, clock })
  const metrics = createOperatorMetrics(registry)
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const kubernetes = await ports.connectKubernetes(metrics.kubernetes)
  shutdown.onClose('kubernetes', kubernetes.close)
  shutdown.onClose('operands', ports.operands.close)
  const parts: Parts = { config, context, ports, kubernetes, metrics, health, shutdown }
  const operator = startLoop(parts)

  const grpc = createGrpcServer({ role: 'operator', log, registry, health, tls: context.tls })
  const rebalancer = createRebalancerService(operator)
  grpc.add(Rebalancer, rebalancer)
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)
  const http = createHttpServer({ role: 'operator', context, health })
  rebalancerRoutes(http.app, rebalancer)
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', async () => health.setReady(false, 'shutting down'))
  const addressOf = (port: number) => `${config.TRUENOW_HOST}:${port}`
  return { httpAddress: addressOf(httpPort), grpcAddress: addressOf(grpcPort), close: shutdown.close }
}

type Parts = Readonly<{
  config: OperatorConfig
  context: RoleContext
  ports: OperatorPorts
  kubernetes: KubernetesPort
  metrics: OperatorMetrics
  health: Health
  shutdown: Shutdown
}>

function startLoop(parts: Parts): OperatorContext {
  const { config, context, ports, kubernetes, metrics, shutdown } = parts
  const { log, clock } = context
  const { random } = ports
  const leadership = joinElection(parts)
  const { isLeader } = leadership
  let onChange: Parameters<typeof watchObjects>[2] = () => {} // The loop looks at the caches, which tell the loop.
  const reflectorOptions = { log, clock, random, metrics: metrics.kubernetes }
  const watched = watchObjects(
    (resource, at, listener) =>
      createReflector(kubernetes, resource, { ...at, ...reflectorOptions, onChange: listener }),
    namespacesOf(config),
    (kind, change) => onChange(kind, change),
    {
      served: kubernetes.served,
      clock,
      onListed: () => {
        if (begun) loop.addAll()
      },
    },
  )
  const ending = new AbortController()
  // Who ends begins no write: a pass stops at its next one, as it does where the Lease is lost.
  const mayWrite = () => isLeader() && !ending.signal.aborted
  const operator = createContext(parts, watched, { ...leadership, isLeader: mayWrite })
  const queue = createWorkQueue({
    ...reflectorOptions,
    concurrency: config.TRUENOW_OPERATOR_WORKERS,
    work: async (key) => loop.work(key),
  })
  // The Lease may be won before the first lists are whole, and a cache with holes reads as objects that are gone.
  let begun = false
  const add = (key: string) => {
    if (begun && isLeader()) queue.add(key)
  }
  const restMs = config.TRUENOW_OPERATOR_RESYNC_SECONDS * 1_000
  const loop = createLoop(operator, { add, restMs, metrics, isLeader })
  onChange = loop.onChange

  const begin = () => {
    begun = true
    loop.addAll()
  }
  const leading = lead(parts, { watched, leadership, begin, ending: ending.signal })
  const listening = watchDeafness(parts, watched)
  shutdown.onClose('watches', watched.close)
  shutdown.onClose('lease', leadership.close)
  shutdown.onClose('queue', queue.close)
  shutdown.onClose('leading', async () => {
    clearInterval(listening)
    ending.abort()
    kubernetes.retire()
    await leading
  })
  return operator
}

function joinElection({ config, context, ports, kubernetes, metrics }: Parts): LeaderLease {
  const { log, clock, pod } = context
  return createLeaderLease(kubernetes, {
    namespace: config.TRUENOW_OPERATOR_NAMESPACE,
    name: config.TRUENOW_OPERATOR_LEASE,
    identity: `${pod}_${crypto.randomUUID()}`,
    clock,
    random: ports.random,
    log,
    metrics: metrics.kubernetes,
    ...(ports.leaseTimings && { timings: ports.leaseTimings }),
    onLost: () => {
      log.warn({}, 'the Lease is lost; this process ends, so that it writes nothing more')
      ports.giveUp()
    },
  })
}

function createContext(
  { config, context, ports, kubernetes, metrics }: Parts,
  watched: WatchedObjects,
  { isLeader, term, holder }: LeaderLease,
): OperatorContext {
  const { log, clock, pod } = context
  const namespace = config.TRUENOW_OPERATOR_NAMESPACE
  const guarded = portWhileLeading(kubernetes, isLeader)
  const operands = operandsWhileLeading(ports.operands, isLeader)
  const identity = `${namespace}/${config.TRUENOW_OPERATOR_LEASE}`
  const recorder = createEventRecorder(guarded, {
    reportingInstance: pod,
    fallbackNamespace: namespace,
    clock,
    log,
    metrics: metrics.kubernetes,
  })
  return {
    ...watched,
    kubernetes: guarded,
    admissionPolicy: createAdmissionPolicy(kubernetes, clock),
    applied: new Map(),
    certificates: new Map(),
    askPodTls: ports.askPodTls,
    driven: new Map(),
    restarts: new Map(),
    operands,
    leaderEpochs: createLeaderEpochs({
      operands,
      operator: identity,
      term,
      holder,
      onDeposed: (message) => {
        log.warn(
          { reason: message },
          'a newer leader was heard; this process ends, so that it commands nothing more',
        )
        ports.giveUp()
      },
    }),
    silence: createSilenceWatch(clock.monotonicMs),
    heat: createHeatWatch(clock.monotonicMs),
    lowered: new Map(),
    record: recorder.record,
    log,
    clock,
    identity,
    runbooksUrl: config.TRUENOW_RUNBOOKS_URL.replace(/\/+$/, ''),
    image: config.TRUENOW_OPERATOR_IMAGE,
  }
}

function watchDeafness({ metrics, ports, context }: Parts, watched: WatchedObjects): NodeJS.Timeout {
  return setInterval(() => {
    for (const kind of ['clusters', 'tables'] as const)
      metrics.objects.set({ kind }, watched[kind].all().length)
    if (watched.ageMs() <= DEAF_MS_MAX) return
    context.log.error({ ageMs: watched.ageMs() }, 'a watch has heard nothing for too long; this process ends')
    ports.giveUp()
  }, DEAF_CHECK_MS)
}

const namespacesOf = ({ TRUENOW_WATCH_NAMESPACES }: OperatorConfig): string[] =>
  TRUENOW_WATCH_NAMESPACES.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

type Leading = Readonly<{
  watched: WatchedObjects
  leadership: LeaderLease
  /** The caches are whole and this process leads. */
  begin: () => void
  ending: AbortSignal
}>

/** Ready once the caches are whole, leader or not; works once it leads. */
async function lead({ health }: Parts, { watched, leadership, begin, ending }: Leading): Promise<void> {
  health.setReady(false, 'the first lists from the API server are not whole yet')
  const stopped = new Promise<'stopped'>((resolve) =>
    ending.addEventListener('abort', () => resolve('stopped'), { once: true }),
  )
  // Both reject when their owner is closed or the Lease is lost: this process is ending then.
  const synced = watched.hasSynced().catch(() => 'stopped' as const)
  if ((await Promise.race([synced, stopped])) === 'stopped') return
  health.setReady(true)
  const elected = leadership.whenLeader(ending).catch(() => 'stopped' as const)
  if ((await elected) === 'stopped' || ending.aborted) return
  begin()
}
