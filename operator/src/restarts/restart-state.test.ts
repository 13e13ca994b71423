import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GetPlacementResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Pod, Workload } from '../workloads.ts'
import { newRestartMemory, noteReports } from './restart-memory.ts'
import { restartState } from './restart-state.ts'

const set = (updateRevision?: string): Workload => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'demo-hot-tier', namespace: 'apps', uid: 's', generation: 1 },
  spec: { replicas: 2, template: { spec: { containers: [{ image: 'truenow:1' }] } } },
  status: updateRevision === undefined ? {} : { updateRevision },
})
const pod = (
  name: string,
  more: Readonly<Record<string, unknown>> = {},
  status: Pod['status'] = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'apps',
    uid: `uid of ${name}`,
    generation: 1,
    labels: { 'controller-revision-hash': 'old' },
    ...more,
  },
  spec: { nodeName: 'node-1' },
  status,
})
const ready = { conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [{ restartCount: 0 }] }
const known = { deleted: new Set<string>(), reported: () => false }
const only = (one: Pod, of = set('new')) => restartState(of, [one], undefined, known).pods[0]

test('restartState: the pods of this set alone, in order, and none beyond what it wants', () => {
  const names = ['demo-hot-tier-1', 'demo-hot-tier-0', 'demo-hot-tier-2', 'demo-hot-tier-x', 'demo-query-0']
  const elsewhere = pod('demo-hot-tier-0', { namespace: 'other' })
  const { pods, shards } = restartState(
    set('new'),
    [...names.map((name) => pod(name)), elsewhere],
    undefined,
    known,
  )
  assert.deepEqual([shards, ...pods.map(({ name }) => name)], [2, 'demo-hot-tier-0', 'demo-hot-tier-1'])
})

test('restartState: outdated is what runs another revision than the newest; where that is not known, nothing is', () => {
  assert.equal(only(pod('demo-hot-tier-0'))?.outdated, true)
  assert.equal(only(pod('demo-hot-tier-0'), set('old'))?.outdated, false)
  assert.equal(only(pod('demo-hot-tier-0'), set())?.outdated, false)
})

const conditions: ReadonlyArray<[what: string, status: Pod['status'], is: string]> = [
  ['ready', ready, 'ready'],
  ['being pulled', { phase: 'Pending' }, 'broken'],
  ['creating its container', { phase: 'Running', containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] }, ''], // biome-ignore format: one line
  ['crashing', { phase: 'Running', containerStatuses: [{ restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } } }] }, 'broken'], // biome-ignore format: one line
  [
    'between two crashes',
    { phase: 'Running', containerStatuses: [{ restartCount: 2, state: {} }] },
    'broken',
  ],
  ['started once more', { phase: 'Running', containerStatuses: [{ restartCount: 1, state: {} }] }, ''],
  ['ready after many crashes', { ...ready, containerStatuses: [{ restartCount: 9 }] }, 'ready'],
]
for (const [what, status, is] of conditions) {
  test(`restartState: a pod that is ${what}`, () => {
    const found = only(pod('demo-hot-tier-0', {}, status))
    assert.equal(found?.ready === true ? 'ready' : found?.broken === true ? 'broken' : '', is)
  })
}

test('restartState: terminating by the cache or by our own deletion; the zone before the node', () => {
  const { deleted, reported } = { deleted: new Set(['uid of demo-hot-tier-0']), reported: () => false }
  const state = restartState(set('new'), [pod('demo-hot-tier-0'), pod('demo-hot-tier-1', { deletionTimestamp: 't' })], undefined, { deleted, reported }) // biome-ignore format: one line
  assert.deepEqual(
    state.pods.map(({ terminating }) => terminating),
    [true, true],
  )
  assert.equal(only(pod('demo-hot-tier-0'))?.domain, 'node-1')
  const labels = { 'controller-revision-hash': 'old', 'topology.kubernetes.io/zone': 'zone-b' }
  assert.equal(only(pod('demo-hot-tier-0', { labels }))?.domain, 'zone-b')
})

const told = (reportedAtUs: bigint) =>
  create(GetPlacementResponseSchema, { loads: [{ shard: 0, reportedAtUs }] })

test('noteReports: only a report after the process was first seen ready is its own', () => {
  const memory = newRestartMemory()
  const one = pod('demo-hot-tier-0', {}, ready)
  const saw = (of: Pod, placement = told(7n)) => noteReports(memory, [of], placement)(of, 0)
  assert.equal(saw(one), false, 'that may be of the process before')
  assert.equal(saw(one), false)
  assert.equal(saw(one, told(8n)), true)
  const again = pod('demo-hot-tier-0', {}, { ...ready, containerStatuses: [{ restartCount: 1 }] })
  assert.equal(saw(again, told(8n)), false, 'its container started again')
  const unready = pod('demo-hot-tier-0', { uid: 'next' }, {})
  assert.equal(saw(unready, told(9n)), false)
  const next = pod('demo-hot-tier-0', { uid: 'next' }, ready)
  assert.equal(saw(next, told(10n)), false, 'and what came while it was not ready does not count')
  assert.equal(saw(next, told(11n)), true)
  assert.equal(memory.reportedUs.size, 1)
})

test('noteReports: without a placement nothing is noted; deleted pods are forgotten once they are gone', () => {
  const memory = newRestartMemory()
  const one = pod('demo-hot-tier-0', {}, ready)
  noteReports(memory, [one], undefined)(one, 0)
  assert.equal(memory.reportedUs.size, 0)
  memory.deleted.add(one.metadata.uid)
  noteReports(memory, [one], told(1n))
  assert.equal(memory.deleted.size, 1)
  noteReports(memory, [], told(1n))
  assert.equal(memory.deleted.size, 0)
})
