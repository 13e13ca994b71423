import { create } from '@bufbuild/protobuf'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createPostgresClient } from '@truenow/chassis/postgres-client.ts'
import type { RunningRole } from '@truenow/chassis/running-role.ts'
import { createTlsCredentials, tlsMaterial } from '@truenow/chassis/tls-credentials.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  AdvanceMovesRequestSchema,
  DeleteClusterRequestSchema,
  DeleteTableRequestSchema,
  GetPlacementRequestSchema,
  GrantLeaderRequestSchema,
  MovesRequestSchema,
  PlanMovesRequestSchema,
  PutClusterRequestSchema,
  PutTableRequestSchema,
  RetireShardsRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { GetFreshnessResponseSchema } from '@truenow/contracts/gen/truenow/v1/watermark_pb.ts'
import { openCatalog } from '../../../workloads/control-plane/test/open-catalog.ts'
import { decodeLeaf } from '../../src/certificates/leaf-secret.ts'
import type { Resource, Stored } from '../../src/kubernetes/kubernetes-port.ts'
import { createKubernetesRequests } from '../../src/kubernetes/kubernetes-requests.ts'
import { LEASES } from '../../src/kubernetes/lease-record.ts'
import { childResource, SECRETS } from '../../src/kubernetes/resources.ts'
import type { ControlPlane, Operands } from '../../src/operands.ts'
import { startInScene } from '../start-in-scene.ts'
import { type CrashGate, createCrashGate, createWriteLog } from './crash-gate.ts'
import { type EndState, readEndState } from './end-state.ts'
import type { Json, RealApiServer } from './real-api-server.ts'
import type { ScriptedKubelet } from './scripted-kubelet.ts'
import type { Load, ScriptedMetrics } from './scripted-metrics.ts'
import { runScriptedShards } from './scripted-shards.ts'

export type CrashWorld = Awaited<ReturnType<typeof createCrashWorld>>
export type CrashLayer = Readonly<{
  api: RealApiServer
  kubelet: ScriptedKubelet
  metrics: ScriptedMetrics
  postgresUrl: string
  kafka: KafkaPort
}>
type Catalog = Awaited<ReturnType<typeof openCatalog>>

/** How long certificates count as held: roles that hold connections of before need a minute, and here there are none. */
const HELD_SECONDS = 3_600
/** For what others change in it, and there is nobody else here. */
const CATALOG_POLL_MS = 1_000
/** As start-in-scene.ts has it. */
const LEASE = 'operator'
/**
 * How long the next operator waits for the Lease of the one before, which here is cut off before that one begins; outside it takes 15 s
 * to be sure. How often a Lease is renewed, and when its holder gives up, is as outside.
 */
const LEASE_MS = 3_000
type Lease = Stored & Readonly<{ spec: Readonly<{ holderIdentity?: string }> }>

/**
 * One Kubernetes namespace of the real API server with a cluster in it: its catalog in PostgreSQL, its scripted shards, and one
 * operator after the other that watches nothing else. Many stand beside each other.
 */
export async function createCrashWorld(
  layer: CrashLayer,
  namespace: string,
  connect: RealApiServer['connect'] = layer.api.connect,
) {
  const { api, kubelet, postgresUrl, kafka } = layer
  await api.ask('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  })
  // As a control plane has: worlds that share connections would wait for one another while they migrate.
  const postgres = createPostgresClient({
    url: () => postgresUrl,
    log: createLog({ role: 'control-plane', level: 'ERROR' }),
  })
  const catalog = await openCatalog(
    { postgres, kafka },
    { cluster: namespace, clock: systemClock, pollMs: CATALOG_POLL_MS },
  )
  const shards = runScriptedShards(catalog, kubelet, namespace)
  const operands = operandsOf(catalog, kubelet, namespace)
  const lives: Array<{ gate: CrashGate; role: Promise<RunningRole> }> = []
  const errors: string[] = []

  /** Begins a life. One that gives up by itself is begun anew, as its kubelet would. */
  const startOperator = (writes = createWriteLog()): void => {
    const gate = createCrashGate(writes)
    const credentials = createTlsCredentials() // A new process has to read its certificate anew.
    const { send, close } = connect()
    const port = createKubernetesRequests({
      send: gate.send(send),
      close,
      clock: systemClock,
      random: Math.random,
    })
    const config = {
      TRUENOW_WATCH_NAMESPACES: namespace,
      TRUENOW_OPERATOR_NAMESPACE: namespace,
      TRUENOW_KUBERNETES_NAMESPACE: namespace,
      TRUENOW_OPERATOR_RESYNC_SECONDS: 1,
      // Beyond it an operator ends its process, which here is that of all worlds.
      TRUENOW_GRACE_SECONDS: 3_600,
      // One pass after the other, so that writes come in much the same order each time.
      TRUENOW_OPERATOR_WORKERS: 1,
    }
    const role = startInScene(
      {
        kubernetes: { port },
        plane: { operands: gate.operands({ ...operands, credentials: () => credentials }) },
      },
      config,
      {
        askPodTls,
        leaseTimings: { leaseMs: LEASE_MS },
        giveUp: () => {
          if (gate.isDead()) return
          gate.kill()
          startOperator(writes)
        },
        onLine: (line) => {
          const { level, msg, err } = JSON.parse(line) as {
            level: unknown
            msg?: string
            err?: { message?: string }
          }
          if (!gate.isDead() && (level === 'ERROR' || level === 50))
            errors.push(`${msg}: ${err?.message ?? ''}`)
        },
      },
    )
    lives.push({ gate, role })
  }
  /** Each pod shows at once what its Secret says: here the order of writes is looked at, not how pods take them over. */
  const askPodTls = async (address: string) => {
    const pod = kubelet.podOfAddress(address.split(':')[0] ?? '')
    const role = pod?.metadata.labels?.['app.kubernetes.io/component'] ?? ''
    const secret = await api.port.get<Stored & { data: Record<string, string> }>(SECRETS, {
      namespace,
      name: `demo-${role}-tls`,
    })
    const files = secret === undefined ? undefined : decodeLeaf(secret.data)
    if (files === undefined) return 'plain' as const
    const { phase, authority, trusted, untilUs } = tlsMaterial(files)
    return { phase, authority, trusted, untilUs, serial: '', heldSeconds: HELD_SECONDS }
  }
  const pathOf = ({ apiVersion, plural }: Resource, name = '') =>
    `/apis/${apiVersion}/namespaces/${namespace}/${plural}${name && `/${name}`}`
  return {
    namespace,
    catalog,
    errors,
    startOperator,
    create: (resource: Resource, name: string, spec: object) =>
      api.ask('POST', pathOf(resource), {
        apiVersion: resource.apiVersion,
        kind: resource.kind,
        metadata: { name, namespace },
        spec: spec as Json,
      }),
    patch: (resource: Resource, name: string, patch: Json) => api.ask('PATCH', pathOf(resource, name), patch),
    /** What the pods of a role use from now on, by what autoscalers are told. */
    load: (role: string, load: Load) => layer.metrics.load(namespace, role, load),
    watchZones: () => kubelet.watchZones(namespace),
    delete: (resource: Resource, name: string) => api.ask('DELETE', pathOf(resource, name)),
    get: async (resource: Resource, name: string): Promise<Json | undefined> =>
      (await api.port.get<Stored>(resource, { namespace, name })) as Json | undefined,
    /** Who holds the operator's Lease. */
    holder: async (): Promise<string | undefined> =>
      (await api.port.get<Lease>(LEASES, { namespace, name: LEASE }))?.spec.holderIdentity,
    endState: (): Promise<EndState> => readEndState(api, catalog, namespace),
    /** What stands in its namespace stays until the API server goes: taking it away would be a good part of all work there is. */
    close: async () => {
      for (const { gate } of lives) gate.kill()
      await Promise.all(
        lives.map(async ({ role }) => (await role.catch(() => undefined))?.close().catch(() => {})),
      )
      await shards.close()
      await catalog.parts.follower.close()
      await postgres.close()
      await api.ask('DELETE', pathOf(childResource('HorizontalPodAutoscaler'))) // They alone would go on.
    },
  }
}

/** The real handlers of the Catalog service, which answer while the pod of the control plane is ready. */
function operandsOf(
  { service }: Catalog,
  kubelet: ScriptedKubelet,
  namespace: string,
): Omit<Operands, 'credentials'> {
  const answering = (role: string) => {
    if (kubelet.readyPods(namespace, role).length > 0) return
    throw new TrueNowError('TN_PEER_UNAVAILABLE', `demo-${role} has no ready pod`)
  }
  const call =
    <Init, Request, Response>(
      make: (init: Init) => Request,
      handle: (request: Request) => Promise<Response>,
    ) =>
    async (init: Init): Promise<Response> => {
      answering('control-plane')
      return handle(make(init))
    }
  const controlPlane: ControlPlane = {
    putCluster: call((init) => create(PutClusterRequestSchema, init), service.putCluster),
    putTable: call((init) => create(PutTableRequestSchema, init), service.putTable),
    deleteTable: call((init) => create(DeleteTableRequestSchema, init), service.deleteTable),
    deleteCluster: call((init) => create(DeleteClusterRequestSchema, init), service.deleteCluster),
    getPlacement: call((init) => create(GetPlacementRequestSchema, init), service.getPlacement),
    grantLeader: call((init) => create(GrantLeaderRequestSchema, init), service.grantLeader),
    planMoves: call((init) => create(PlanMovesRequestSchema, init), service.planMoves),
    approveMoves: call((init) => create(MovesRequestSchema, init), service.approveMoves),
    advanceMoves: call((init) => create(AdvanceMovesRequestSchema, init), service.advanceMoves),
    cancelMoves: call((init) => create(MovesRequestSchema, init), service.cancelMoves),
    retireShards: call((init) => create(RetireShardsRequestSchema, init), service.retireShards),
    close: () => {},
  }
  return {
    controlPlane: () => controlPlane,
    watermark: () => ({
      getFreshness: async () => {
        answering('watermark')
        return create(GetFreshnessResponseSchema, { tables: [{ freshnessUs: 100_000n }] })
      },
      close: () => {},
    }),
    forget: () => {},
    close: async () => {},
  }
}
