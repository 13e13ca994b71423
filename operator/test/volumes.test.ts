import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubernetesError } from '../src/kubernetes/kubernetes-port.ts'
import { clusterSpec, createScene, DEMO, type Scene } from './scene.ts'

/* Volumes of a cluster that runs are made larger over an API server in memory, which keeps a StatefulSet's templates as the real one does. */
type Claim = { spec: { resources: { requests: { storage: string } } }; status: Record<string, unknown> }
const SHARDS = [0, 1]
const key = (shard: number) => ({ ...DEMO, name: `data-demo-hot-tier-${shard}` })
const claim = ({ kubernetes }: Scene, shard: number) =>
  kubernetes.find('PersistentVolumeClaim', key(shard)) as unknown as Claim
const sizes = (scene: Scene) => SHARDS.map((shard) => claim(scene, shard).spec.resources.requests.storage)
const set = ({ kubernetes }: Scene) => kubernetes.find('StatefulSet', { ...DEMO, name: 'demo-hot-tier' })
const templatesOf = (scene: Scene) =>
  (set(scene)?.spec as { volumeClaimTemplates: Claim[] } | undefined)?.volumeClaimTemplates ?? []
const condition = (scene: Scene, type = 'VolumesGrown') =>
  scene.cluster()?.status?.conditions?.find((one) => one.type === type)

const resize = (scene: Scene, size: string) =>
  scene.editSpec('TrueNowCluster', 'demo', (spec: Record<string, unknown>) =>
    Object.assign(spec, { hotTier: { ...clusterSpec().hotTier, storage: { size } } }),
  )
/** As the storage does. */
const enlarge = (scene: Scene, status: (size: string) => Record<string, unknown>) => {
  for (const shard of SHARDS)
    scene.kubernetes.edit('PersistentVolumeClaim', key(shard), (draft) => {
      draft.status = status((draft as unknown as Claim).spec.resources.requests.storage)
    })
}
async function pass(scene: Scene, operator = scene.operator()): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await operator.settle()
    scene.advance(10_000)
    operator.addAll()
  }
  await operator.settle()
}
async function made(): Promise<Scene> {
  const scene = createScene()
  scene.createCluster()
  await pass(scene)
  return scene
}

test('volumes: claims grow, the set is made anew under its pods, and status says what is waited for', async () => {
  const scene = await made()
  const uid = set(scene)?.metadata.uid
  assert.equal(condition(scene), undefined)
  resize(scene, '5Gi')
  await pass(scene)
  assert.deepEqual(sizes(scene), ['5Gi', '5Gi'])
  assert.notEqual(set(scene)?.metadata.uid, uid)
  const templates = templatesOf(scene)
  assert.equal(templates[0]?.spec.resources.requests.storage, '5Gi')
  assert.deepEqual([condition(scene)?.status, condition(scene)?.reason], ['False', 'Resizing'])
  enlarge(scene, () => ({
    capacity: { storage: '2Gi' },
    conditions: [{ type: 'FileSystemResizePending', status: 'True' }],
  }))
  await pass(scene)
  assert.equal(condition(scene)?.reason, 'FileSystemResizePending')
  assert.match(condition(scene)?.message ?? '', /delete demo-hot-tier-0, demo-hot-tier-1, one at a time/)
  enlarge(scene, (storage) => ({ capacity: { storage } }))
  await pass(scene)
  assert.deepEqual(
    [condition(scene)?.status, condition(scene)?.message],
    ['True', 'Every volume has 5Gi or more.'],
  )
  assert.equal(condition(scene, 'Synced')?.status, 'True')
  assert.equal(scene.events().filter(({ reason }) => reason === 'VolumeGrows').length, 2)
  const lists = () => scene.kubernetes.calls.filter(({ kind, verb }) => verb === 'list' && kind === 'PersistentVolumeClaim').length // biome-ignore format: one line
  const before = lists()
  await pass(scene)
  assert.equal(lists(), before, 'at rest nobody looks at claims')
})

test('volumes: where the class lets none grow, the set stays as it was and all else goes on', async () => {
  const scene = await made()
  const uid = set(scene)?.metadata.uid
  const refusal = new KubernetesError('only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize', { status: 403, reason: 'Forbidden' }) // biome-ignore format: one line
  scene.kubernetes.hooks.around = ({ verb, kind }, work) => {
    if (verb === 'mergePatch' && kind === 'PersistentVolumeClaim') throw refusal
    return work()
  }
  resize(scene, '5Gi')
  scene.editSpec('TrueNowCluster', 'demo', (spec: Record<string, unknown>) =>
    Object.assign(spec, { query: { replicas: 3, cacheTtlSeconds: 60 } }),
  )
  await pass(scene)
  assert.deepEqual([sizes(scene), set(scene)?.metadata.uid], [['2Gi', '2Gi'], uid])
  assert.equal(condition(scene)?.reason, 'ExpansionRefused')
  assert.match(
    condition(scene)?.message ?? '',
    /data-demo-hot-tier-0 may not grow to 5Gi: only dynamically .* allowVolumeExpansion/,
  )
  const query = scene.kubernetes.find('Deployment', { ...DEMO, name: 'demo-query' })
  assert.equal((query?.spec as { replicas: number } | undefined)?.replicas, 3)
  assert.equal(condition(scene, 'Synced')?.status, 'True')
})

test('volumes: a smaller size is refused where the CRD did not, and nothing is touched', async () => {
  const scene = await made()
  const uid = set(scene)?.metadata.uid
  resize(scene, '1Gi')
  await pass(scene)
  assert.deepEqual([condition(scene, 'SpecValid')?.status, condition(scene, 'SpecValid')?.reason], ['False', 'ShrinkRefused']) // biome-ignore format: one line
  assert.deepEqual([sizes(scene), set(scene)?.metadata.uid], [['2Gi', '2Gi'], uid])
})

test('volumes: the operator dies at every write, before or after it, and the next one finishes', async () => {
  const WRITES = ['apply', 'mergePatch', 'create', 'replace', 'remove']
  const story = async (dieAt: number, answered: boolean) => {
    const scene = await made()
    let writes = 0
    let dead = false
    scene.kubernetes.hooks.around = ({ verb }, work) => {
      if (dead) throw new Error('killed')
      if (!WRITES.includes(verb)) return work()
      writes += 1
      if (writes !== dieAt) return work()
      dead = true
      if (answered) work()
      throw new Error('killed')
    }
    resize(scene, '5Gi')
    await pass(scene)
    scene.kubernetes.hooks.around = (_call, work) => work()
    await pass(scene)
    enlarge(scene, (storage) => ({ capacity: { storage } }))
    await pass(scene)
    const templates = templatesOf(scene)
    const end = [sizes(scene), templates[0]?.spec.resources.requests.storage, condition(scene)?.status, condition(scene, 'Synced')?.status] // biome-ignore format: one line
    assert.deepEqual(end, [['5Gi', '5Gi'], '5Gi', 'True', 'True'], `write ${dieAt}, answered: ${answered}`)
    return writes
  }
  const all = await story(Number.POSITIVE_INFINITY, true)
  assert.ok(all >= 8, `${all} writes`)
  for (let dieAt = 1; dieAt <= all; dieAt++)
    for (const answered of [false, true]) await story(dieAt, answered)
})
