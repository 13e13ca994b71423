import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowClusterSpec } from '../../operator/src/api/v1alpha1/truenow-cluster.ts'
import { anyClusterSpecs } from '../../operator/src/testing/legal-specs.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'

/*
 * spec → spec′ → spec on a real API server, with its defaults, its field owners and its garbage collector: up to 25 clusters side
 * by side walk from one random spec to the next, one step back and forth again, and must consist of the same objects each
 * time they come by. A quota keeps every pod away: this is about what is asked for, not about what runs. The operator asks the API
 * server no faster here than elsewhere, so 500 comparisons take seven minutes (`make prove-specs`).
 */
const COMPARISONS = Number(process.env.RUNS ?? 20)
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const LANES = Math.min(25, Math.ceil(COMPARISONS / 2))
const SETTLE_MS_MAX = 60_000
const namespace = 'spec-and-back'
const CHILDREN =
  'serviceaccounts,services,networkpolicies,poddisruptionbudgets,deployments,statefulsets,configmaps,horizontalpodautoscalers'
const QUOTA = {
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'nothing-runs', namespace },
  spec: { hard: { pods: '0', 'count/replicasets.apps': '0' } },
}
type Json = Record<string, unknown>
type Child = Readonly<{
  kind: string
  metadata: Json & { name: string; labels: Readonly<Record<string, string>> }
}>
let cluster: Cluster
const here = (args: readonly string[], input?: string) => kubectl(cluster, ['-n', namespace, ...args], input)

before(async () => {
  cluster = await testCluster()
  await kubectl(cluster, ['create', 'namespace', namespace])
  await here(['apply', '-f', '-'], JSON.stringify(QUOTA))
})
after(() => kubectl(cluster, ['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=180s']))

/** What cannot change is that of the lane; what Delete would add is waiting for a control plane that never comes. */
function drawSpecs(): TrueNowClusterSpec[][] {
  const steps = Math.ceil(COMPARISONS / 2 / LANES)
  const drawn = fc.sample(anyClusterSpecs, { seed: SEED, numRuns: LANES * (steps + 1) })
  return Array.from({ length: LANES }, (_, lane) => {
    const mine = drawn.slice(lane * (steps + 1), (lane + 1) * (steps + 1)).map(({ first }) => first)
    const { shards, replicationFactor, storage } = (mine[0] as TrueNowClusterSpec).hotTier
    return mine.map((spec) => ({
      ...spec,
      image: spec.image ?? 'truenow:1',
      deletionPolicy: 'Retain',
      hotTier: { ...spec.hotTier, shards, replicationFactor, storage },
    }))
  })
}

const nameOf = (lane: number) => `lane-${lane}`
const list = (items: readonly unknown[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })

/** Applies one spec a lane and waits until the operator has acted on every one of them. */
async function become(specs: readonly TrueNowClusterSpec[]): Promise<void> {
  const objects = specs.map((spec, lane) => ({
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'TrueNowCluster',
    metadata: { name: nameOf(lane), namespace },
    spec,
  }))
  await here(['apply', '--server-side', '--field-manager=walker', '-f', '-'], list(objects))
  await eventually('every spec acted on', SETTLE_MS_MAX, async () => {
    const { items } = JSON.parse(await here(['get', 'truenowclusters', '-o', 'json']))
    const late = items.map(whyNotActedOn).filter((why: string | undefined) => why !== undefined)
    return items.length === LANES && late.length === 0 ? undefined : late.join('; ')
  })
}

type Condition = Readonly<{
  type: string
  status: string
  reason: string
  message: string
  observedGeneration: number
}>
function whyNotActedOn({
  metadata,
  status,
}: Readonly<{
  metadata: { name: string; generation: number }
  status?: { conditions?: readonly Condition[] }
}>): string | undefined {
  // biome-ignore format: one line
  const of = (type: string) => status?.conditions?.find((one) => one.type === type)
  const [valid, synced, monitored] = [of('SpecValid'), of('Synced'), of('Monitored')]
  if (valid?.status === 'False') assert.fail(`${metadata.name}: ${valid.message}`)
  const { generation } = metadata
  // It is written before the first dashboard is made.
  if (
    monitored !== undefined &&
    (monitored.observedGeneration !== generation || monitored.status === 'Unknown')
  )
    return `${metadata.name}: Monitored is ${monitored.status} of generation ${monitored.observedGeneration}`
  if (synced?.observedGeneration === generation && synced.status !== 'Unknown') return undefined
  return `${metadata.name}: Synced is ${synced?.status} ${synced?.reason} of generation ${synced?.observedGeneration}: ${synced?.message}`
}

/** Every child by lane, without what counts versions and times, and what other controllers write beside. */
async function childrenByLane(): Promise<string[]> {
  const { items } = JSON.parse(await here(['get', CHILDREN, '-l', 'truenow.io/cluster', '-o', 'json']))
  const byLane = Map.groupBy(items as Child[], ({ metadata }) =>
    String(metadata.labels['truenow.io/cluster']),
  )
  return Array.from({ length: LANES }, (_, lane) => {
    const all = byLane.get(nameOf(lane)) ?? []
    // How many pods an autoscaler has chosen by now is not the spec's.
    const scaled = all
      .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
      .map(({ metadata }) => metadata.name)
    const mine = all.map((child) =>
      wanted(child, child.kind === 'Deployment' && scaled.includes(child.metadata.name)),
    )
    assert.ok(mine.length >= 15, `lane ${lane} has ${mine.length} children`)
    return mine.toSorted().join('\n')
  })
}

function wanted({ kind, metadata, ...rest }: Child, isScaled: boolean): string {
  const { status: _, ...object } = rest as Json
  if (isScaled) object.spec = { ...(object.spec as Json), replicas: undefined }
  const { managedFields: _m, resourceVersion: _r, generation: _g, uid: _u, creationTimestamp: _c, annotations, ...kept } = metadata // biome-ignore format: one line
  const ours = Object.entries((annotations ?? {}) as Json).filter(([key]) => !key.startsWith('deployment.kubernetes.io/')) // biome-ignore format: one line
  return `${kind}/${metadata.name} ${JSON.stringify({ ...object, kept, annotations: Object.fromEntries(ours) })}`
}

/** The first object that differs, of both; whole dumps of all clusters help nobody. */
function assertSame(now: readonly string[], before: readonly string[], what: string): void {
  for (let lane = 0; lane < LANES; lane++) {
    if (now[lane] === before[lane]) continue
    const [left, right] = [now, before].map((all) => (all[lane] ?? '').split('\n'))
    const [gone] = (right ?? []).filter((one) => !(left ?? []).includes(one))
    const [come] = (left ?? []).filter((one) => !(right ?? []).includes(one))
    assert.fail(`seed ${SEED}, ${what}, lane ${lane}:\n before ${gone}\n now    ${come}`)
  }
}

test(`spec → spec′ → spec: ${COMPARISONS} times the same objects as before, on a real API server`, async (t) => {
  t.diagnostic(`seed ${SEED}`)
  const lanes = drawSpecs()
  const at = (step: number) => lanes.map((specs) => specs[step] as TrueNowClusterSpec)
  await become(at(0))
  let here = await childrenByLane()
  let [compared, changed] = [0, 0]
  for (let step = 1; compared < COMPARISONS; step++) {
    await become(at(step))
    const there = await childrenByLane()
    changed += there.filter((one, lane) => one !== here[lane]).length
    await become(at(step - 1))
    assertSame(await childrenByLane(), here, `back at spec ${step - 1}`)
    await become(at(step))
    assertSame(await childrenByLane(), there, `again at spec ${step}`)
    compared += 2 * LANES
    here = there
  }
  t.diagnostic(`${compared} comparisons, ${changed} of ${compared / 2} changes touched a child`)
  assert.ok(changed > compared / 4, 'too few changes touched a child: they prove nothing')
})

test('a child that was edited or deleted by hand is put back on a real API server, and an Event says so', async () => {
  const [service, deployment] = [`${nameOf(0)}-gateway`, `${nameOf(0)}-query`]
  const uidOf = async (what: string) => here(['get', what, '-o', 'jsonpath={.metadata.uid}'])
  const portOf = async () => here(['get', `service/${service}`, '-o', 'jsonpath={.spec.ports[0].port}'])
  const [port, uid] = [await portOf(), await uidOf(`deployment/${deployment}`)]
  await here(['patch', `service/${service}`, '--type=json', '-p', '[{"op":"replace","path":"/spec/ports/0/port","value":9999}]']) // biome-ignore format: one line
  await here(['delete', `deployment/${deployment}`])
  await eventually('both are put back', SETTLE_MS_MAX, async () => {
    const [nowPort, nowUid] = [await portOf(), await uidOf(`deployment/${deployment}`)]
    return nowPort === port && nowUid !== uid ? undefined : `port ${nowPort}, uid ${nowUid}`
  })
  await eventually('an Event for each', SETTLE_MS_MAX, async () => {
    const { items } = JSON.parse(await here(['get', 'events.events.k8s.io', '-o', 'json']))
    const notes = (items as ReadonlyArray<{ reason: string; note: string }>)
      .filter(({ reason }) => reason === 'ChildPutBack')
      .map(({ note }) => note)
    const missing = [service, deployment].filter((one) => !notes.some((note) => note.includes(one)))
    return missing.length === 0
      ? undefined
      : `no Event names ${missing.join(', ')}; told: ${notes.join(' | ')}`
  })
})
