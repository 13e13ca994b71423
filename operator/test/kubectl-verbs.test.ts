import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubernetesError } from '../src/kubernetes/kubernetes-port.ts'
import { callKubectl } from './call-kubectl.ts'
import { clusterSpec, createScene, DEMO, type Scene } from './scene.ts'

async function settled(shards = 3) {
  const scene = createScene()
  scene.createCluster(clusterSpec({ hotTier: { ...clusterSpec().hotTier, shards } }))
  scene.createTable()
  const operator = scene.operator()
  await operator.settle()
  const go = async (ms = 0) => {
    scene.advance(ms)
    await operator.settle()
  }
  return { scene, operator, go }
}
const annotationsOf = ({ kubernetes }: Scene, kind: string, name: string) =>
  kubernetes.find(kind, { ...DEMO, name })?.metadata.annotations ?? {}
const rebalances = ({ kubernetes }: Scene) =>
  kubernetes.list('Rebalance').map(({ metadata, status }) => ({
    name: metadata.name,
    state: (status as { state?: string } | undefined)?.state,
  }))

test('kubectl truenow pause and resume: the operator holds still and goes on; twice is said', async () => {
  const { scene, go } = await settled()
  const paused = await callKubectl(scene, 'pause', 'demo')
  assert.deepEqual([paused.code, paused.err, paused.closed], [0, '', 1])
  await go()
  assert.equal(scene.cluster()?.status?.phase, 'Paused')
  assert.match((await callKubectl(scene, 'pause', 'demo')).out, /is paused already/)
  assert.equal((await callKubectl(scene, 'resume', 'demo')).code, 0)
  await go()
  assert.equal(scene.cluster()?.status?.phase, 'Ready')
  assert.match((await callKubectl(scene, 'resume', 'demo')).out, /is not paused/)
})

test('kubectl truenow restart: asks by annotation, with the time, and says so where it must wait', async () => {
  const { scene } = await settled()
  const { code, out } = await callKubectl(scene, 'restart', 'demo')
  const asked = annotationsOf(scene, 'TrueNowCluster', 'demo')['truenow.io/restart']
  assert.deepEqual([code, asked], [0, '2026-01-01T00:00:00.000Z'])
  assert.ok(out.includes(String(asked)))
  await callKubectl(scene, 'pause', 'demo')
  assert.match((await callKubectl(scene, 'restart', 'demo')).out, /paused, so nothing happens before/)
})

test('kubectl truenow rebalance: plan, approve and see it through; stop and refresh where they mean something', async () => {
  const { scene, go } = await settled()
  const planned = await callKubectl(scene, 'rebalance', 'plan', 'demo')
  assert.equal(planned.code, 0)
  const [{ name = '' } = {}] = rebalances(scene)
  assert.match(planned.out, new RegExp(`rebalance approve ${name}`))
  const early = await callKubectl(scene, 'rebalance', 'approve', name)
  assert.deepEqual([early.code, early.out], [1, ''])
  assert.match(early.err, /approve means nothing while the Rebalance is PendingProposal/)
  assert.deepEqual(annotationsOf(scene, 'Rebalance', name), {}, 'nothing was asked for')
  await go()
  assert.deepEqual(rebalances(scene), [{ name, state: 'ProposalReady' }])
  assert.equal((await callKubectl(scene, 'rebalance', 'refresh', name)).code, 0)
  await go()
  const approved = await callKubectl(scene, 'rebalance', 'approve', name)
  assert.match(approved.out, /approve of \d+ moves/)
  await go()
  assert.equal(rebalances(scene)[0]?.state, 'Rebalancing')
  assert.equal((await callKubectl(scene, 'rebalance', 'stop', name)).code, 0)
  for (let second = 0; second < 10; second++) await go(1_000)
  assert.equal(rebalances(scene)[0]?.state, 'Stopped')
  assert.match((await callKubectl(scene, 'rebalance', 'stop', name)).out, /stop was asked for/)
})

test('kubectl truenow: verbs on what is not there, and called wrongly', async () => {
  const { scene } = await settled()
  const writes = scene.kubernetes.writes()
  const wrong: ReadonlyArray<[args: readonly string[], code: number, said: RegExp]> = [
    [['pause'], 2, /pause needs 1 more/],
    [['pause', 'none'], 1, /no TrueNowCluster none in apps/],
    [['restart', 'demo', 'more'], 2, /Too many names: more/],
    [['rebalance', 'demo'], 2, /rebalance needs 1 more/],
    [['rebalance', 'mend', 'demo'], 2, /knows plan, approve, stop, refresh, not 'mend'/],
    [['rebalance', 'plan', 'none'], 1, /no TrueNowCluster apps\/none/],
    [['rebalance', 'approve', 'none'], 1, /no Rebalance apps\/none/],
    [['toString'], 2, /Unknown command/],
  ]
  for (const [args, code, said] of wrong) {
    const answer = await callKubectl(scene, ...args)
    assert.deepEqual([answer.code, answer.out], [code, ''], args.join(' '))
    assert.match(answer.err, said)
  }
  assert.equal(scene.kubernetes.writes(), writes)
})

const pod = ({ kubernetes }: Scene, name: string, labels: Record<string, string>, restartCount: number) =>
  kubernetes.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...DEMO, name, labels },
    spec: { containers: [{ name: 'query', env: [{ name: 'A', value: 'postgres://u:hidden-1@db/x' }] }] },
    status: { containerStatuses: [{ restartCount }] },
  })

async function reported() {
  const { scene } = await settled()
  pod(scene, 'demo-query-a', { 'truenow.io/cluster': 'demo' }, 2)
  pod(scene, 'other-query-a', { 'truenow.io/cluster': 'other' }, 0)
  scene.kubernetes.logs.set('demo-query-a', 'said now, token=hidden-2')
  scene.kubernetes.logs.set('demo-query-a --previous', 'said before')
  scene.kubernetes.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...DEMO, name: 'demo-postgres' },
    stringData: { url: 'hidden-3' },
  })
  scene.kubernetes.edit('TrueNowCluster', DEMO, (draft) => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': 'hidden-4' }
    Object.assign(draft.metadata as object, { annotations, managedFields: ['hidden-5'] })
  })
  return scene
}

test('kubectl truenow report: objects, conditions, Events and both logs in one text, and nothing that is secret', async () => {
  const scene = await reported()
  const writes = scene.kubernetes.writes()
  const { code, out, err } = await callKubectl(scene, 'report', 'demo')
  assert.deepEqual([code, err], [0, ''])
  for (const part of [
    /kind: TrueNowCluster/,
    /type: Ready/,
    /kind: StatefulSet/,
    /kind: Table/,
    /## Events[\s\S]*TrueNowCluster\/demo/,
    /Log of pod apps\/demo-query-a before its last restart.*\n\nsaid before/,
    /said now, token=\*\*\*/,
    /postgres:\/\/u:\*\*\*@db/,
  ])
    assert.match(out, part)
  assert.doesNotMatch(out, /hidden/)
  assert.doesNotMatch(out, /other-query-a/, 'another cluster’s')
  assert.match((await callKubectl(scene, 'report')).out, /other-query-a/)
  assert.ok(!scene.kubernetes.calls.some(({ kind }) => kind === 'Secret'), 'Secrets are not even asked for')
  assert.equal(scene.kubernetes.writes(), writes)
})

test('kubectl truenow report: what may not be read is named in its place, and the rest is told', async () => {
  const scene = await reported()
  scene.kubernetes.hooks.around = ({ verb, kind }, work) => {
    if (verb === 'log' || kind === 'Event')
      throw new KubernetesError(`${verb} ${kind} is forbidden`, { status: 403, reason: 'Forbidden' })
    return work()
  }
  const { code, out } = await callKubectl(scene, 'report', 'demo')
  assert.equal(code, 0)
  assert.match(out, /## Events\n\n\(not to be read: list Event is forbidden\)/)
  assert.match(out, /\(not to be read: log Pod is forbidden\)/)
  assert.match(out, /kind: StatefulSet/)
})
