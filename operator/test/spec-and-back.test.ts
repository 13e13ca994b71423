import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyClusterSpecs, anyTableSpecs } from '../src/testing/legal-specs.ts'
import { createScene, DEMO, type Scene } from './scene.ts'

/*
 * spec → spec′ → spec: whatever a user tried meanwhile, what was taken back leaves nothing behind. RUNS=500 is the long form;
 * e2e/scenarios/spec-and-back.test.ts asks the same of a real API server.
 */
const RUNS = Number(process.env.RUNS ?? 25)
const MONITORING = 'monitoring.coreos.com/v1'

/** All but what counts versions and times: an object that is not wanted for a while is another one when it comes back. */
const childrenOf = (scene: Scene) =>
  scene.kubernetes
    .dump()
    .filter(({ kind, apiVersion }) => apiVersion !== 'truenow.io/v1alpha1' && !NOT_OURS.includes(kind))
    .map(({ status: _, metadata: { resourceVersion: _r, generation: _g, uid: _u, creationTimestamp: _c, ...metadata }, ...rest }) => ({ ...rest, metadata })) // biome-ignore format: one line
    .toSorted((left, right) => keyOf(left).localeCompare(keyOf(right)))
/** Pods follow their workloads, each when it may restart. */
const NOT_OURS = ['Event', 'Pod', 'PersistentVolumeClaim', 'Lease']
const keyOf = ({ kind, metadata }: Readonly<{ kind: string; metadata: { name: string } }>) =>
  `${kind}/${metadata.name}`
/** The versions of a table go on; what it is does not. */
const catalogOf = ({ plane }: Scene) =>
  [...plane.state.tables].map(([name, { state, definition, topic }]) => ({ name, state, definition, topic }))

function begin() {
  const scene = createScene()
  scene.kubernetes.served.set(MONITORING, ['servicemonitors', 'prometheusrules'])
  const operator = scene.operator()
  const become = async (kind: string, spec: object) => {
    scene.editSpec(kind, 'demo', (draft) => {
      for (const key of Object.keys(draft)) delete draft[key]
      Object.assign(draft, spec)
    })
    scene.advance(10_000)
    await operator.settle()
    assert.deepEqual(operator.errors, [])
  }
  return { scene, operator, become }
}

test('spec → spec′ → spec: a cluster consists of the same objects as before', async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  t.diagnostic(`seed ${seed}, ${RUNS} runs`)
  let changed = 0
  await fc.assert(
    fc.asyncProperty(anyClusterSpecs, async ({ first, second }) => {
      const { scene, operator, become } = begin()
      scene.createCluster(first)
      await operator.settle()
      const condition = scene.cluster()?.status?.conditions?.find(({ type }) => type === 'SpecValid')
      assert.equal(condition?.status, 'True', condition?.message)
      const before = childrenOf(scene)
      await become('TrueNowCluster', second)
      if (JSON.stringify(childrenOf(scene)) !== JSON.stringify(before)) changed += 1
      await become('TrueNowCluster', first)
      assert.deepEqual(childrenOf(scene), before)
      assert.deepEqual(operator.errors, [])
    }),
    { seed, numRuns: RUNS },
  )
  assert.ok(changed > RUNS / 2, `only ${changed} of ${RUNS} changes touched a child: they prove nothing`)
})

test('spec → spec′ → spec: a table is declared to the catalog as before', async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  t.diagnostic(`seed ${seed}, ${RUNS} runs`)
  let changed = 0
  await fc.assert(
    fc.asyncProperty(anyTableSpecs, async ({ first, second }) => {
      const { scene, operator, become } = begin()
      scene.createCluster()
      scene.createTable('demo', first)
      await operator.settle()
      const before = catalogOf(scene)
      assert.equal(before.length, 1, scene.table('demo')?.status?.conditions?.[0]?.message)
      await become('Table', second)
      if (JSON.stringify(catalogOf(scene)) !== JSON.stringify(before)) changed += 1
      await become('Table', first)
      assert.deepEqual(catalogOf(scene), before)
      assert.deepEqual(scene.kubernetes.find('TrueNowCluster', DEMO)?.metadata.deletionTimestamp, undefined)
    }),
    { seed, numRuns: RUNS },
  )
  assert.ok(changed > RUNS / 2, `only ${changed} of ${RUNS} changes touched the catalog: they prove nothing`)
})
