import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { createLog } from '@truenow/chassis/log.ts'
import { createTlsCredentials } from '@truenow/chassis/tls-credentials.ts'
import { Registry } from 'prom-client'
import { createAdmissionPolicy } from '../src/admission-policy.ts'
import type { Rebalance } from '../src/api/v1alpha1/rebalance.ts'
import type { Table, TableSpec } from '../src/api/v1alpha1/table.ts'
import type { TrueNowCluster, TrueNowClusterSpec } from '../src/api/v1alpha1/truenow-cluster.ts'
import { createLoop, type Loop } from '../src/create-loop.ts'
import { createHeatWatch } from '../src/heat-watch.ts'
import { createEventRecorder } from '../src/kubernetes/event-recorder.ts'
import type { ObjectKey, Stored } from '../src/kubernetes/kubernetes-port.ts'
import { createObjectStore } from '../src/kubernetes/object-store.ts'
import { CHILD_RESOURCES, MONITORING_RESOURCES, PODS } from '../src/kubernetes/resources.ts'
import { createLeaderEpochs } from '../src/leader-epochs.ts'
import { createOperatorMetrics } from '../src/metrics.ts'
import type { OperatorContext } from '../src/operator-context.ts'
import { createSilenceWatch } from '../src/silence-watch.ts'
import { tableSpec as anyTableSpec } from '../src/testing/any-table.ts'
import { operandsWhileLeading, portWhileLeading } from '../src/while-leading.ts'
import { createMemoryControlPlane } from './memory-control-plane.ts'
import { createMemoryKubernetes, type MemoryObject, ORPHAN } from './memory-kubernetes.ts'

export const NAMESPACE = 'apps'
export const DEMO: ObjectKey = { namespace: NAMESPACE, name: 'demo' }
const KINDS = [
  'TrueNowCluster',
  'Table',
  'Rebalance',
  ...[...CHILD_RESOURCES, ...MONITORING_RESOURCES, PODS].map(({ kind }) => kind),
]
export const RUNBOOKS_URL = 'https://runbooks.example/truenow'
const OBJECTS_MAX = 1_000
/** Rounds until everything rests; a scene that needs more does not come to rest. */
const ROUNDS_MAX = 60

export const hotTier = (shards: number, replicationFactor = 2): TrueNowClusterSpec['hotTier'] => ({
  shards,
  replicationFactor,
  memoryPerShard: '1Gi',
  workers: 1,
  storage: { size: '2Gi' },
})
export const clusterSpec = (more: Partial<TrueNowClusterSpec> = {}): TrueNowClusterSpec => ({
  paused: false,
  deletionPolicy: 'Retain',
  kafka: { brokers: ['kafka:9092'], topics: { replicationFactor: 1, minInsyncReplicas: 1 } },
  postgres: { urlSecretRef: { name: 'demo-postgres', key: 'url' }, port: 5_432 },
  hotTier: hotTier(2),
  gateway: { replicas: 2 },
  ingester: { replicas: 2 },
  query: { replicas: 2, cacheTtlSeconds: 60 },
  watermark: { replicas: 1 },
  controlPlane: { replicas: 1 },
  ...more,
})
/** Named by its object, so that several may be made. */
const { name: _, ...namelessTableSpec } = anyTableSpec
export const tableSpec = (more: Partial<TableSpec> = {}): TableSpec => ({
  ...namelessTableSpec,
  columns: [{ name: 'user_id', type: 'string', nullable: false }],
  partitionBy: ['user_id'],
  slots: 4,
  ...more,
})

/** One Kubernetes, one control plane, and operators over them whose clock and caches move only when told. */
export function createScene() {
  let nowMs = 1_767_225_600_000
  const clock = { nowUs: () => nowMs * 1_000, monotonicMs: () => nowMs }
  const kubernetes = createMemoryKubernetes(clock)
  const plane = createMemoryControlPlane(clock)
  const askPodTls: OperatorContext['askPodTls'] = async () => undefined
  const scene: KubeletScene & { askPodTls: OperatorContext['askPodTls'] } = {
    kubeletRuns: true,
    pod: () => 'ready',
    askPodTls,
  }
  const object = (kind: string, name: string, spec: unknown, metadata: object = {}) =>
    kubernetes.create({
      apiVersion: 'truenow.io/v1alpha1',
      kind,
      metadata: { ...DEMO, name, ...metadata },
      spec,
    })
  return {
    clock,
    kubernetes,
    plane,
    scene,
    advance: (ms: number) => {
      nowMs += ms
    },
    createCluster: (spec = clusterSpec(), metadata = {}) => object('TrueNowCluster', 'demo', spec, metadata),
    createTable: (name = 'events', spec = tableSpec(), metadata = {}) =>
      object('Table', name, spec, metadata),
    editSpec: (kind: string, name: string, change: (spec: Record<string, never>) => void) =>
      kubernetes.edit(kind, { ...DEMO, name }, (draft) => change(draft.spec as Record<string, never>)),
    cluster: () => kubernetes.find('TrueNowCluster', DEMO) as unknown as TrueNowCluster | undefined,
    table: (name = 'events') => kubernetes.find('Table', { ...DEMO, name }) as unknown as Table | undefined,
    runKubelet: () => runKubelet(kubernetes, scene),
    children: () => kubernetes.dump().filter(({ kind }) => CHILD_RESOURCES.some((one) => one.kind === kind)),
    events: () =>
      kubernetes.list('Event').map(({ reason, note }) => ({ reason: String(reason), note: String(note) })),
    operator: (options: OperatorOptions = {}) =>
      createOperator(
        {
          clock,
          kubernetes,
          plane,
          kubelet: () => scene.kubeletRuns && runKubelet(kubernetes, scene),
          askPodTls: (address) => scene.askPodTls(address),
        },
        options,
      ),
  }
}
export type Scene = ReturnType<typeof createScene>
export type Operator = ReturnType<typeof createOperator>
type OperatorOptions = Readonly<{
  identity?: string
  image?: string
  isLeader?: () => boolean
  /** Transitions of the Lease that this process leads by. */
  term?: number
}>
type World = Readonly<{
  clock: OperatorContext['clock']
  kubernetes: ReturnType<typeof createMemoryKubernetes>
  plane: ReturnType<typeof createMemoryControlPlane>
  kubelet: () => void
  askPodTls: OperatorContext['askPodTls']
}>

function createOperator(world: World, options: OperatorOptions) {
  const { clock, kubernetes, plane, kubelet } = world
  const { identity = 'truenow/operator', image = 'truenow:1', isLeader = () => true, term = 0 } = options
  const log = createLog({ role: 'operator', destination: { write: () => {} } })
  const port = portWhileLeading(kubernetes.port, isLeader)
  const stores = new Map(KINDS.map((kind) => [kind, createObjectStore<Stored>(kind, OBJECTS_MAX)]))
  const seen = <Kind extends Stored>(kind: string) =>
    stores.get(kind) as unknown as ReturnType<typeof createObjectStore<Kind>>
  const metrics = createOperatorMetrics(new Registry())
  const credentials = createTlsCredentials()
  const operands = operandsWhileLeading({ ...plane.operands, credentials: () => credentials }, isLeader)
  const deposed: string[] = []
  const context: OperatorContext = {
    leaderEpochs: createLeaderEpochs({
      operands,
      operator: identity,
      term: () => ({ createdAt: '2026-01-01T00:00:00Z', transitions: term }),
      holder: () => `${identity}-${term}`,
      onDeposed: (message) => void deposed.push(message),
    }),
    kubernetes: port,
    clusters: seen<TrueNowCluster>('TrueNowCluster'),
    tables: seen<Table>('Table'),
    rebalances: seen<Rebalance>('Rebalance'),
    child: <Kind extends Stored>(kind: string, key: ObjectKey) => seen<Kind>(kind).get(key),
    childrenOfKind: <Kind extends Stored>(kind: string) => seen<Kind>(kind).all(),
    applied: new Map(),
    certificates: new Map(),
    askPodTls: world.askPodTls,
    optionalKinds: {
      follow: async ({ apiVersion, plural }) => {
        const there = !apiVersion.includes('/') || (await port.served(apiVersion)).includes(plural)
        return there ? 'followed' : 'absent'
      },
    },
    admissionPolicy: createAdmissionPolicy(port, clock),
    runbooksUrl: RUNBOOKS_URL,
    driven: new Map(),
    restarts: new Map(),
    silence: createSilenceWatch(clock.monotonicMs),
    heat: createHeatWatch(clock.monotonicMs),
    lowered: new Map(),
    operands,
    record: createEventRecorder(port, {
      reportingInstance: 'operator-0',
      fallbackNamespace: 'truenow',
      clock,
      log,
    }).record,
    log,
    clock,
    identity,
    image,
  }
  const due = new Map<string, number>()
  const errors: unknown[] = []
  const loop: Loop = createLoop(context, {
    add: (key) => void due.set(key, clock.monotonicMs()),
    restMs: 10_000,
    metrics,
    isLeader,
  })
  /** Brings the caches up to date, as watches do. Answers whether anything was new. */
  const sync = (): boolean => {
    const changes = KINDS.flatMap((kind) => {
      const objects = kubernetes.list(kind).filter((one) => isFollowed(kind, one))
      return seen(kind)
        .replace(objects as unknown as Stored[])
        .map((change) => ({ kind, change }))
    })
    for (const { kind, change } of changes) loop.onChange(kind, change)
    return changes.length > 0
  }
  /** One pass over every key that is due. Answers whether there was any. */
  const work = async (): Promise<boolean> => {
    const keys = [...due].filter(([, atMs]) => atMs <= clock.monotonicMs()).map(([key]) => key)
    for (const key of keys) {
      due.delete(key)
      try {
        const again = await loop.work(key)
        if (again !== undefined && !due.has(key)) due.set(key, clock.monotonicMs() + again.afterMs)
      } catch (error) {
        errors.push(error)
        due.set(key, clock.monotonicMs() + 1)
      }
    }
    return keys.length > 0
  }
  const settle = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      kubelet()
      const news = sync()
      if (!(await work()) && !news) return
    }
    assert.fail(
      `no rest after ${ROUNDS_MAX} rounds: ${[...due.keys()].join(', ')}; ${errors.slice(-3).join('; ')}`,
    )
  }
  return { context, loop, errors, deposed, due, sync, work, settle, addAll: () => loop.addAll() }
}

const isFollowed = (kind: string, { metadata }: MemoryObject): boolean =>
  kind === 'TrueNowCluster' ||
  kind === 'Table' ||
  kind === 'Rebalance' ||
  'truenow.io/cluster' in (metadata.labels ?? {})

type KubeletScene = {
  kubeletRuns: boolean
  /** How the pod of a shard fares, by its name and the image that it runs. */
  pod: (name: string, image: string) => 'ready' | 'starting' | 'looping'
}

/** What controllers and the kubelet do with workloads: pods become ready at once unless told otherwise, and a set's volumes are made. */
function runKubelet(kubernetes: ReturnType<typeof createMemoryKubernetes>, scene: KubeletScene): void {
  for (const workload of kubernetes.list('Deployment')) {
    const { replicas } = workload.spec as { replicas: number }
    const counts = { replicas, readyReplicas: replicas, updatedReplicas: replicas }
    writeStatus(kubernetes, workload, { observedGeneration: workload.metadata.generation, ...counts })
  }
  for (const set of kubernetes.list('StatefulSet'))
    if (set.metadata.finalizers?.includes(ORPHAN) === true) letGo(kubernetes, set)
    else runSet(kubernetes, set, scene)
}

/** As the garbage collector does: what the set owned runs on without an owner, then the set goes. */
function letGo(kubernetes: ReturnType<typeof createMemoryKubernetes>, set: MemoryObject): void {
  for (const { kind, metadata } of kubernetes.list('Pod'))
    if (metadata.ownerReferences?.some(({ uid }) => uid === set.metadata.uid) === true)
      kubernetes.edit(kind, metadata, (draft) => void Object.assign(draft.metadata as object, { ownerReferences: [] })) // biome-ignore format: one line
  kubernetes.edit('StatefulSet', set.metadata, (draft) => void Object.assign(draft.metadata as object, { finalizers: [] })) // biome-ignore format: one line
}

/** OnDelete: a pod keeps its revision until somebody deletes it; a new one is of the newest. Those beyond `replicas` go. */
function runSet(
  kubernetes: ReturnType<typeof createMemoryKubernetes>,
  set: MemoryObject,
  scene: KubeletScene,
): void {
  const { namespace, name, uid, generation } = set.metadata
  const { replicas, selector, template } = set.spec as {
    replicas: number
    selector: { matchLabels: Record<string, string> }
    template: { spec: { containers: { image: string }[] } }
  }
  makeVolumes(kubernetes, set, replicas, selector.matchLabels)
  const revision = createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 8)
  const image = template.spec.containers[0]?.image ?? ''
  for (let ordinal = 0; ordinal < replicas; ordinal++) {
    const key = { namespace, name: `${name}-${ordinal}` }
    const stands = kubernetes.find('Pod', key)
    if (stands?.metadata.ownerReferences?.length === 0)
      kubernetes.edit('Pod', key, (draft) => void Object.assign(draft.metadata as object, { ownerReferences: [{ uid }] })) // biome-ignore format: one line
    if (stands !== undefined) continue
    kubernetes.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...key,
        labels: { ...selector.matchLabels, 'controller-revision-hash': revision },
        ownerReferences: [{ uid }],
      },
      spec: { nodeName: 'node-0', containers: [{ name: 'hot-tier', image }] },
    })
  }
  for (
    let ordinal = replicas;
    kubernetes.find('Pod', { namespace, name: `${name}-${ordinal}` }) !== undefined;
    ordinal++
  )
    kubernetes.delete('Pod', { namespace, name: `${name}-${ordinal}` })
  const pods = kubernetes.list('Pod').filter(({ metadata }) => metadata.name.startsWith(`${name}-`))
  for (const pod of pods) {
    const { containers } = pod.spec as { containers: { image: string }[] }
    writeStatus(kubernetes, pod, {
      ...podStatus(scene.pod(pod.metadata.name, containers[0]?.image ?? '')),
      podIP: `10.1.0.${pod.metadata.name.split('-').at(-1)}`,
    })
  }
  const now = kubernetes.list('Pod').filter(({ metadata }) => metadata.name.startsWith(`${name}-`))
  const isReady = ({ status }: MemoryObject) => JSON.stringify(status).includes('"status":"True"')
  writeStatus(kubernetes, set, {
    observedGeneration: generation,
    replicas: now.length,
    readyReplicas: now.filter(isReady).length,
    updatedReplicas: now.filter(({ metadata }) => metadata.labels?.['controller-revision-hash'] === revision)
      .length,
    updateRevision: revision,
  })
}

function podStatus(fares: ReturnType<KubeletScene['pod']>): Record<string, unknown> {
  const ready = fares === 'ready' ? 'True' : 'False'
  const state = fares === 'looping' ? { waiting: { reason: 'CrashLoopBackOff' } } : {}
  return {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: ready }],
    containerStatuses: [{ restartCount: 0, state }],
  }
}

function writeStatus(
  kubernetes: ReturnType<typeof createMemoryKubernetes>,
  { kind, metadata, status: before }: MemoryObject,
  status: Record<string, unknown>,
): void {
  if (isDeepStrictEqual(before, status)) return
  kubernetes.edit(kind, metadata, (draft) => void Object.assign(draft, { status }), 'kubelet')
}

function makeVolumes(
  kubernetes: ReturnType<typeof createMemoryKubernetes>,
  workload: MemoryObject,
  replicas: number,
  labels: Readonly<Record<string, string>>,
): void {
  const { metadata } = workload
  for (let ordinal = 0; ordinal < replicas; ordinal++) {
    const key = { namespace: metadata.namespace, name: `data-${metadata.name}-${ordinal}` }
    if (kubernetes.find('PersistentVolumeClaim', key) !== undefined) continue
    kubernetes.create({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { ...key, labels: { ...labels } },
      spec: { resources: { requests: { storage: sizeOf(workload) } } },
      status: { capacity: { storage: sizeOf(workload) } },
    })
  }
}

const sizeOf = ({ spec }: MemoryObject): string =>
  (spec as { volumeClaimTemplates: [{ spec: { resources: { requests: { storage: string } } } }] })
    .volumeClaimTemplates[0].spec.resources.requests.storage
