import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Log } from '@truenow/chassis/log.ts'
import fc from 'fast-check'
import { createEventRecorder, cutToBytes } from './event-recorder.ts'
import { KubernetesError, type KubernetesPort, type Stored } from './kubernetes-port.ts'
import { createFakeTime } from './testing/fake-time.ts'

const cluster: Stored = {
  apiVersion: 'truenow.io/v1alpha1',
  kind: 'TrueNowCluster',
  metadata: { namespace: 'production', name: 'demo', uid: 'u-1', generation: 1 },
}
const event = { type: 'Normal', reason: 'Scaled', action: 'Scale', note: '3 shards' } as const
type Created = Record<string, unknown> & { metadata: { namespace: string; name: string } }

function scene(
  refuse: (what: 'create' | 'patch', object: Created | undefined) => number | undefined = () => undefined,
) {
  const time = createFakeTime()
  const created: Created[] = []
  const patched: unknown[] = []
  const warned: string[] = []
  const log: Log = { debug() {}, info() {}, error() {}, warn: (_, message) => void warned.push(message) }
  const answer = (status: number | undefined) => {
    if (status !== undefined) throw new KubernetesError('no', { status, reason: '' })
  }
  const port = {
    create: async (_: unknown, object: Created) => {
      answer(refuse('create', object))
      created.push(object)
    },
    mergePatch: async (_: unknown, key: { name: string; namespace: string }, patch: unknown) => {
      answer(refuse('patch', undefined))
      patched.push([key.namespace, key.name, patch])
    },
  } as unknown as KubernetesPort
  const options = { reportingInstance: 'operator-7', fallbackNamespace: 'truenow', clock: time.clock, log }
  return { ...time, created, patched, warned, ...createEventRecorder(port, options) }
}

test('createEventRecorder: one event, whole', async () => {
  const { record, created } = scene()
  await record(cluster, event)
  const [{ metadata, ...rest }] = created as [Created]
  assert.match(metadata.name, /^demo\.[0-9a-f]+$/)
  assert.equal(metadata.namespace, 'production')
  assert.deepEqual(rest, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'truenow.io/operator',
    reportingInstance: 'operator-7',
    ...event,
    regarding: {
      apiVersion: 'truenow.io/v1alpha1',
      kind: 'TrueNowCluster',
      namespace: 'production',
      name: 'demo',
      uid: 'u-1',
    },
  })
})

test('createEventRecorder: repeats are counted on the first, once a minute; after six quiet minutes it is a new one', async () => {
  const { record, created, patched, advance } = scene()
  for (let second = 0; second < 130; second++) {
    await record(cluster, event)
    await advance(1_000)
  }
  const { namespace, name } = created[0]!.metadata
  assert.deepEqual(patched, [
    [namespace, name, { series: { count: 61, lastObservedTime: '2026-01-01T00:01:00.000000Z' } }],
    [namespace, name, { series: { count: 121, lastObservedTime: '2026-01-01T00:02:00.000000Z' } }],
  ])
  await advance(360_000)
  await record(cluster, event)
  assert.deepEqual([created.length, patched.length], [2, 2])
})

test('createEventRecorder: another note, object or reason is another event', async () => {
  const { record, created } = scene()
  await record(cluster, event)
  await record(cluster, { ...event, note: '4 shards' })
  await record(cluster, { ...event, reason: 'Refused' })
  await record({ ...cluster, metadata: { ...cluster.metadata, uid: 'u-2' } }, event)
  assert.equal(new Set(created.map(({ metadata }) => metadata.name)).size, 4)
})

test('createEventRecorder: a note that changes with every pass does not fill etcd', async () => {
  const { record, created, advance } = scene()
  for (let pass = 0; pass < 600; pass++) {
    await record(cluster, { ...event, note: `${pass} rows` })
    await advance(1_000)
  }
  assert.ok(created.length >= 50 && created.length <= 50 + 600 / 30 + 1, `${created.length} events`)
})

for (const status of [403, 404]) {
  test(`createEventRecorder: a namespace that answers ${status} gets its event told beside the operator's pod`, async () => {
    const { record, created, patched, warned, advance } = scene((_, object) =>
      object?.metadata.namespace === 'production' ? status : undefined,
    )
    await record(cluster, event)
    assert.equal(created[0]?.metadata.namespace, 'truenow')
    assert.deepEqual(created[0]?.regarding, {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'truenow',
      name: 'operator-7',
    })
    assert.equal(created[0]?.note, 'TrueNowCluster production/demo: 3 shards')
    await advance(60_000)
    await record(cluster, event)
    assert.deepEqual([created.length, patched.length, warned.length], [1, 1, 0])
  })
}

test('createEventRecorder: an event that expired on the server is written anew', async () => {
  const { record, created, advance } = scene((what) => (what === 'patch' ? 404 : undefined))
  await record(cluster, event)
  await advance(60_000)
  await record(cluster, event)
  assert.equal(created.length, 2)
})

test('createEventRecorder: never rejects; what failed is tried again at its next occurrence', async () => {
  let away = true
  const { record, created, warned } = scene(() => (away ? 500 : undefined))
  await record(cluster, event)
  assert.deepEqual([created.length, warned.length], [0, 1])
  away = false
  await record(cluster, event)
  assert.equal(created.length, 1)
})

test('createEventRecorder: what the API server limits is cut', async () => {
  const { record, created } = scene()
  const named = { ...cluster, metadata: { ...cluster.metadata, name: 'a'.repeat(253) } }
  await record(named, {
    type: 'Warning',
    reason: 'R'.repeat(300),
    action: 'A'.repeat(300),
    note: 'ü'.repeat(2_000),
  })
  const { metadata, reason, action, note } = created[0] as Created &
    Record<'reason' | 'action' | 'note', string>
  assert.ok(metadata.name.length <= 253)
  assert.deepEqual([reason.length, action.length], [128, 128])
  assert.ok(Buffer.byteLength(note) <= 1_024)
})

test('cutToBytes: within its bytes, a prefix, and whole characters', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.integer({ min: 3, max: 80 }),
      (text, bytesMax) => {
        const cut = cutToBytes(text, bytesMax)
        assert.ok(Buffer.byteLength(cut) <= bytesMax)
        if (Buffer.byteLength(text) <= bytesMax) assert.equal(cut, text)
        else assert.ok(cut.endsWith('…') && text.startsWith(cut.slice(0, -1)))
      },
    ),
  )
})
