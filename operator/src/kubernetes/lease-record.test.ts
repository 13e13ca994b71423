import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Lease, leaseRecord, mayTake } from './lease-record.ts'
import { createFakeTime } from './testing/fake-time.ts'

const lease = (spec: Lease['spec']): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    namespace: 'n',
    name: 'l',
    uid: 'u',
    generation: 0,
    resourceVersion: '7',
    labels: { kept: 'yes' },
  },
  spec,
})
const held = (leaseDurationSeconds?: number) =>
  lease({
    holderIdentity: 'other',
    ...(leaseDurationSeconds === undefined ? {} : { leaseDurationSeconds }),
  })

const cases: ReadonlyArray<
  [name: string, lease: Lease | undefined, vanished: boolean, agoMs: number, taken: boolean]
> = [
  ['none there', undefined, false, 0, true],
  ['a held one vanished just now', undefined, true, 14_999, false],
  ['a held one vanished a lease ago', undefined, true, 15_000, true],
  ['released', lease({ holderIdentity: '' }), false, 0, true],
  ['its own', lease({ holderIdentity: 'me' }), false, 0, true],
  ['held and changed just before', held(15), false, 14_999, false],
  ['held and unchanged for the lease', held(15), false, 15_000, true],
  ['a holder of another release with a longer lease', held(30), false, 29_999, false],
  ['a holder with a shorter lease', held(1), false, 14_999, false],
  ['a lease without end', held(1e9), false, 60_000, true],
  ['no duration written', held(), false, 15_000, true],
]
for (const [name, lease, vanished, agoMs, taken] of cases) {
  test(`mayTake: ${name}`, () => {
    assert.equal(mayTake({ lease, record: '', atMs: 1_000, vanished }, 'me', 1_000 + agoMs, 15_000), taken)
  })
}

test('leaseRecord: a new holder raises the transitions, a renewal and a release do not', () => {
  const { clock } = createFakeTime()
  const by = { namespace: 'n', name: 'l', identity: 'me', leaseMs: 15_000, clock }
  const now = '2026-01-01T00:00:00.000000Z'
  assert.deepEqual(leaseRecord(undefined, by).spec, {
    holderIdentity: 'me',
    leaseDurationSeconds: 15,
    acquireTime: now,
    renewTime: now,
    leaseTransitions: 0,
  })
  const theirs = lease({
    holderIdentity: 'other',
    leaseTransitions: 4,
    acquireTime: 'then',
    renewTime: 'then',
  })
  assert.deepEqual(leaseRecord(theirs, by), {
    ...theirs,
    spec: {
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 5,
    },
  })
  const mine = lease({ holderIdentity: 'me', leaseTransitions: 5, acquireTime: 'then' })
  const renewed = leaseRecord(mine, by).spec as Lease['spec']
  assert.deepEqual([renewed.leaseTransitions, renewed.acquireTime, renewed.renewTime], [5, 'then', now])
  const released = leaseRecord(mine, { ...by, identity: '' }).spec as Lease['spec']
  assert.deepEqual(
    [released.holderIdentity, released.leaseDurationSeconds, released.leaseTransitions],
    ['', 1, 5],
  )
  assert.equal((leaseRecord(lease(released), by).spec as Lease['spec']).leaseTransitions, 6)
})
