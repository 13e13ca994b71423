import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubernetesError } from '../src/kubernetes/kubernetes-port.ts'
import { callKubectl as call } from './call-kubectl.ts'
import { clusterSpec, createScene, DEMO, type Scene } from './scene.ts'

const LABELS = (role: string) => ({ 'truenow.io/cluster': 'demo', 'app.kubernetes.io/component': role })

async function settled() {
  const scene = createScene()
  scene.createCluster()
  scene.createTable()
  const operator = scene.operator()
  await operator.settle()
  return { scene, operator }
}
const pod = ({ kubernetes }: Scene, name: string, role: string, status: object) =>
  kubernetes.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...DEMO, name, labels: LABELS(role) },
    status,
  })
const READY = { conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [{ restartCount: 0 }] }

test('kubectl truenow status: one screen that says how everything is', async () => {
  const { scene } = await settled()
  pod(scene, 'demo-query-a', 'query', READY)
  pod(scene, 'demo-query-b', 'query', { containerStatuses: [{ restartCount: 2 }] })
  const { code, out, err, closed } = await call(scene, 'status', 'demo')
  assert.deepEqual([code, err, closed], [0, '', 1])
  assert.match(out, /TrueNowCluster apps\/demo/)
  assert.match(out, /phase +Ready/)
  assert.match(out, /freshness +<1s/)
  assert.match(out, /query +1\/2 +2/)
  assert.match(out, /events +4\/4 +<1s +AllServing/)
  assert.ok(!out.includes('not Ready'))
})

test('kubectl truenow status: what the operator is in the midst of, with what it waits for', async () => {
  const { scene } = await settled()
  const told = async () => (await call(scene, 'status', 'demo')).out
  assert.ok(!(await told()).includes('OPERATION'))
  const upgrade = { role: 'hot-tier', pod: 'demo-hot-tier-1', predicate: 'restarted_shards_caught_up', message: 'Shard 0 is behind.' } // biome-ignore format: one line
  const downscale = [{ pod: 'demo-hot-tier-2', predicate: 'shard_is_empty', message: 'It holds 3 slots.' }]
  scene.kubernetes.edit('TrueNowCluster', DEMO, (draft) => {
    Object.assign(draft.status as object, { inProgressOperations: { upgrade, downscale } })
  })
  const out = await told()
  assert.match(out, /OPERATION +ON +WAITS FOR +MESSAGE/)
  assert.match(out, /upgrade +demo-hot-tier-1 +restarted_shards_caught_up +Shard 0 is behind\./)
  assert.match(out, /downscale +demo-hot-tier-2 +shard_is_empty +It holds 3 slots\./)
  scene.kubernetes.edit('TrueNowCluster', DEMO, (draft) => {
    Object.assign(draft.status as object, { inProgressOperations: { upgrade: { role: 'query', message: '1/2 pods of the newest template.' } } }) // biome-ignore format: one line
  })
  assert.match(await told(), /upgrade +query +- +1\/2 pods/)
})

test('kubectl truenow doctor: work that there was once and is no more is no finding; refused work is one', async () => {
  const { scene } = await settled()
  judge(scene, 'ScalingDown', 'False', 'NothingToDo')
  assert.equal((await call(scene, 'doctor')).code, 0)
  judge(scene, 'ScalingDown', 'False', 'InsufficientCapacity')
  assert.match((await call(scene, 'doctor')).out, /ScalingDown is False \(InsufficientCapacity\)/)
})

test('kubectl truenow doctor: a cluster that is well has nothing to say and exits with 0', async () => {
  const { scene } = await settled()
  pod(scene, 'demo-query-a', 'query', READY)
  const { code, out } = await call(scene, 'doctor')
  assert.deepEqual([code, out], [0, '✔ Nothing wrong with 1 clusters and 1 tables.\n'])
})

type Ill = readonly [what: string, break_: (scene: Scene) => void, found: RegExp, next: RegExp]
const ills: readonly Ill[] = [
  [
    'a pod that crashes',
    (scene) =>
      pod(scene, 'demo-query-a', 'query', {
        containerStatuses: [
          {
            restartCount: 4,
            state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
            lastState: { terminated: { reason: 'OOMKilled' } },
          },
        ],
      }),
    /pod apps\/demo-query-a: restarted 4 times, last OOMKilled/,
    /kubectl -n apps logs demo-query-a --previous/,
  ],
  [
    'a pod without a node',
    (scene) =>
      pod(scene, 'demo-query-a', 'query', {
        conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
      }),
    /no node takes it: 0\/3 nodes are available/,
    /describe pod demo-query-a/,
  ],
  [
    'shards of an older template',
    (scene) => judge(scene, 'UpgradeBlocked', 'True', 'no_move_touches_shard'),
    /UpgradeBlocked is True \(no_move_touches_shard\)/,
    /kubectl -n apps describe tnc demo/,
  ],
  [
    'slots that nobody serves',
    (scene) => judge(scene, 'Available', 'False', 'SlotsUnserved'),
    /Available is False \(SlotsUnserved\)/,
    /describe tnc demo/,
  ],
  [
    'a spec that nobody has looked at',
    (scene) =>
      scene.editSpec(
        'TrueNowCluster',
        'demo',
        (spec) => void Object.assign(spec, { gateway: { replicas: 3 } }),
      ),
    /its status is older than its spec/,
    /describe tnc demo/,
  ],
  [
    'a table without a cluster',
    (scene) => {
      const spec = { clusterRef: { name: 'gone' } }
      scene.kubernetes.create({
        apiVersion: 'truenow.io/v1alpha1',
        kind: 'Table',
        metadata: { ...DEMO, name: 'lost' },
        spec,
      })
    },
    /table apps\/lost: its cluster 'gone' is not there/,
    /kubectl -n apps get tnc/,
  ],
]
function judge({ kubernetes }: Scene, type: string, status: string, reason: string): void {
  kubernetes.edit('TrueNowCluster', DEMO, (draft) => {
    const { conditions } = draft.status as { conditions: { type: string; status: string; reason: string }[] }
    const judged = {
      message: 'Because.',
      ...conditions.find((one) => one.type === type),
      type,
      status,
      reason,
    }
    const others = conditions.filter((one) => one.type !== type)
    Object.assign(draft.status as object, { conditions: [...others, judged] })
  })
}
for (const [what, break_, found, next] of ills) {
  test(`kubectl truenow doctor: ${what}`, async () => {
    const { scene } = await settled()
    break_(scene)
    const { code, out } = await call(scene, 'doctor')
    assert.equal(code, 1)
    assert.match(out, found)
    assert.match(out, next)
  })
}

test('kubectl truenow doctor: a cluster that no operator has taken, once it should have', async () => {
  const scene = createScene()
  scene.createCluster(clusterSpec())
  assert.equal((await call(scene, 'doctor')).code, 0, 'it was only just made')
  scene.advance(121_000)
  const { code, out } = await call(scene, 'doctor')
  assert.equal(code, 1)
  assert.match(out, /no operator has taken it/)
})

test('kubectl truenow doctor: an object whose deletion hangs names what holds it', async () => {
  const scene = createScene()
  scene.createCluster(clusterSpec({ deletionPolicy: 'Delete' }))
  await scene.operator().settle()
  scene.kubernetes.delete('TrueNowCluster', DEMO)
  scene.advance(121_000)
  assert.match((await call(scene, 'doctor')).out, /was deleted at .* and is still held by truenow\.io\/data/)
})

test('kubectl truenow: what is called wrongly, or is not there, is said with its exit code', async () => {
  const { scene } = await settled()
  const wrong: ReadonlyArray<[args: readonly string[], code: number, said: RegExp]> = [
    [[], 2, /No command\.\nusage: kubectl truenow/],
    [['mend'], 2, /Unknown command 'mend'/],
    [['status', '--none'], 2, /Unknown option '--none'/],
    [['status', 'a', 'b'], 2, /Too many names: b/],
    [['status', 'other'], 1, /There is no TrueNowCluster other in apps/],
  ]
  for (const [args, code, said] of wrong) {
    const answer = await call(scene, ...args)
    assert.deepEqual([answer.code, answer.out], [code, ''], args.join(' '))
    assert.match(answer.err, said)
  }
  const help = await call(scene, 'doctor', '-h')
  assert.equal(help.code, 0)
  assert.match(help.out, /Exit codes/)
})

test('kubectl truenow: namespace and context are the caller’s, -A looks everywhere, and nothing is written', async () => {
  const { scene } = await settled()
  const writes = scene.kubernetes.writes()
  assert.match((await call(scene, 'status', '-n', 'empty')).out, /No TrueNowCluster here/)
  const { out, asked } = await call(scene, 'status', '-A', '--context', 'blue', '--kubeconfig', '/k')
  assert.match(out, /apps\/demo/)
  const { context, kubeconfig } = asked as { context?: string; kubeconfig?: string }
  assert.deepEqual([context, kubeconfig], ['blue', '/k'])
  assert.equal(scene.kubernetes.writes(), writes)
})

test('kubectl truenow: an API server that refuses is told, not thrown', async () => {
  const { scene } = await settled()
  scene.kubernetes.hooks.around = () => {
    throw new KubernetesError('pods is forbidden', { status: 403, reason: 'Forbidden' })
  }
  const { code, err, closed } = await call(scene, 'status')
  assert.deepEqual([code, closed], [1, 1])
  assert.match(err, /pods is forbidden/)
})
