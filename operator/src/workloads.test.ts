import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCluster } from './resources/testing/any-cluster.ts'
import { observeWorkloads, type Pod, podTroubles, type Workload } from './workloads.ts'

const [cluster] = fc.sample(anyCluster, { numRuns: 1, seed: 3 })
assert.ok(cluster !== undefined)
const workload = (status: Workload['status'], generation = 2): Workload => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', namespace: 'apps', uid: 'u', generation },
  spec: { replicas: 3, template: { spec: { containers: [{ image: 'truenow:1' }] } } },
  ...(status === undefined ? {} : { status }),
})
const first = (found: Workload | undefined) => observeWorkloads(cluster, () => found)[0]

test('observeWorkloads: as the newest status says', () => {
  const status = { observedGeneration: 2, readyReplicas: 2, updatedReplicas: 1 }
  assert.deepEqual(first(workload(status)), {
    role: 'control-plane',
    desired: 3,
    ready: 2,
    updated: 1,
    exists: true,
  })
})

test('observeWorkloads: a status of an older spec, or none, counts as nothing ready', () => {
  for (const status of [undefined, {}, { observedGeneration: 1, readyReplicas: 3, updatedReplicas: 3 }])
    assert.deepEqual(first(workload(status)), {
      role: 'control-plane',
      desired: 3,
      ready: 0,
      updated: 0,
      exists: true,
    })
})

test('observeWorkloads: what is not there is wanted and not ready', () => {
  assert.deepEqual(first(undefined), {
    role: 'control-plane',
    desired: 1,
    ready: 0,
    updated: 0,
    exists: false,
  })
})

test('observeWorkloads: each role by its own name, shards as a set', () => {
  const asked: string[] = []
  observeWorkloads(cluster, (kind, key) => {
    asked.push(`${kind} ${key.name.slice(cluster.metadata.name.length + 1)}`)
    return undefined
  })
  assert.deepEqual(asked, [
    'Deployment control-plane',
    'Deployment gateway',
    'Deployment ingester',
    'StatefulSet hot-tier',
    'Deployment query',
    'Deployment watermark',
  ])
})

const pod = (name: string, status: Pod['status']): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'apps', uid: name, generation: 0 },
  ...(status === undefined ? {} : { status }),
})
const waiting = (reason: string, message?: string) => ({
  containerStatuses: [{ state: { waiting: { reason, ...(message === undefined ? {} : { message }) } } }],
})
const cases: ReadonlyArray<[what: string, pods: readonly Pod[], said: string]> = [
  ['no pods', [], ''],
  ['a pod without status', [pod('a', undefined)], ''],
  [
    'one that is starting',
    [pod('a', waiting('ContainerCreating')), pod('b', waiting('PodInitializing'))],
    '',
  ],
  [
    'one that cannot pull',
    [pod('a', waiting('ErrImagePull', 'not found'))],
    'pod a: ErrImagePull (not found)',
  ],
  [
    'the same of many is told once',
    ['a', 'b'].map((name) => pod(name, waiting('CrashLoopBackOff'))),
    'pod a: CrashLoopBackOff',
  ],
  [
    'one that fits nowhere',
    [pod('a', { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes' }] })],
    'pod a: Unschedulable (0/3 nodes)',
  ],
  [
    'three reasons at most',
    ['W', 'X', 'Y', 'Z'].map((reason) => pod(reason.toLowerCase(), waiting(reason))),
    'pod w: W; pod x: X; pod y: Y',
  ],
]
for (const [what, pods, said] of cases) {
  test(`podTroubles: ${what}`, () => assert.equal(podTroubles(pods), said))
}

test('podTroubles: short, whatever a container says', () => {
  const pods = ['A', 'B', 'C'].map((reason) => pod(reason, waiting(reason, 'x'.repeat(10_000))))
  assert.ok(podTroubles(pods).length < 800)
})
