import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Claim, planVolumes, type Volume } from './plan-volumes.ts'

const selected = { 'volume.kubernetes.io/selected-node': 'truenow' }
const claim = (over: { metadata?: object; spec?: object } = {}): Claim => ({
  metadata: { name: 'data-0', namespace: 'a', uid: 'u1', annotations: selected, ...over.metadata },
  spec: {
    storageClassName: 'local',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '2Gi' } },
    ...over.spec,
  },
})
const volume = (over: { metadata?: object; spec?: object; phase?: string } = {}): Volume => ({
  metadata: {
    name: 'pvc-u1',
    annotations: { 'pv.kubernetes.io/provisioned-by': 'truenow.io/local' },
    ...over.metadata,
  },
  spec: { persistentVolumeReclaimPolicy: 'Delete', ...over.spec },
  status: { phase: over.phase ?? 'Released' },
})

const creations: ReadonlyArray<
  [name: string, claims: readonly Claim[], volumes: readonly Volume[], count: number]
> = [
  ['a claim whose pod was scheduled', [claim()], [], 1],
  ['a claim that waits for its first pod', [claim({ metadata: { annotations: {} } })], [], 0],
  ['a claim that is bound', [claim({ spec: { volumeName: 'pvc-u1' } })], [], 0],
  ['a claim whose volume is there already', [claim()], [volume({ phase: 'Available' })], 0],
  ['a claim that is being deleted', [claim({ metadata: { deletionTimestamp: 'now' } })], [], 0],
  ['a claim of another class', [claim({ spec: { storageClassName: 'other' } })], [], 0],
]
for (const [name, claims, volumes, count] of creations) {
  test(`planVolumes: ${name}`, () => {
    assert.equal(planVolumes(claims, volumes, '/v').create.length, count)
  })
}

test('planVolumes: the volume is bound to that very claim, by uid', () => {
  const [made] = planVolumes([claim()], [], '/v').create
  assert.ok(made)
  assert.equal(made.name, 'pvc-u1')
  const { spec } = made.volume as { spec: Record<string, unknown> }
  assert.deepEqual(spec.hostPath, { path: '/v/pvc-u1', type: 'Directory' })
  assert.deepEqual(spec.capacity, { storage: '2Gi' })
  assert.equal((spec.claimRef as { uid: string }).uid, 'u1')
})

const removals: ReadonlyArray<[name: string, volume: Volume, removed: boolean]> = [
  ['released', volume(), true],
  ['bound', volume({ phase: 'Bound' }), false],
  ['released, but to be retained', volume({ spec: { persistentVolumeReclaimPolicy: 'Retain' } }), false],
  ["released, but another's", volume({ metadata: { annotations: {} } }), false],
  ['on its way out already', volume({ metadata: { deletionTimestamp: 'now' } }), false],
]
for (const [name, given, removed] of removals) {
  test(`planVolumes: a volume that is ${name}`, () => {
    assert.deepEqual(planVolumes([], [given], '/v').remove, removed ? ['pvc-u1'] : [])
  })
}
