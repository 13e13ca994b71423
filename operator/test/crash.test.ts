import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterSpec, createScene, DEMO, type Scene, tableSpec } from './scene.ts'

/*
 * The operator dies after each single write, to Kubernetes or to the control plane, before the answer came and after. A new
 * one then finishes. Whatever the write was, the end is the same.
 */
const WRITES = ['apply', 'mergePatch', 'create', 'replace', 'remove']
type Story = Readonly<{ name: string; rounds?: number; begin: (scene: Scene) => Promise<void> }>

const create = (scene: Scene) => {
  scene.createCluster(clusterSpec({ deletionPolicy: 'Delete' }))
  scene.createTable('events', tableSpec({ deletionPolicy: 'Delete' }))
  scene.createTable('kept')
}
const STORIES: readonly Story[] = [
  { name: 'create', begin: async (scene) => create(scene) },
  {
    name: 'delete a Table and change the cluster',
    begin: async (scene) => {
      create(scene)
      await scene.operator().settle()
      scene.kubernetes.delete('Table', { ...DEMO, name: 'events' })
      scene.editSpec(
        'TrueNowCluster',
        'demo',
        (spec) => void Object.assign(spec, { query: { replicas: 1, cacheTtlSeconds: 5 } }),
      )
      scene.kubernetes.delete('Service', { ...DEMO, name: 'demo-gateway' })
    },
  },
  {
    name: 'delete everything',
    begin: async (scene) => {
      create(scene)
      await scene.operator().settle()
      scene.kubernetes.delete('TrueNowCluster', DEMO)
      scene.kubernetes.delete('Table', { ...DEMO, name: 'events' })
    },
  },
  {
    name: 'restart every shard under a new image',
    rounds: 4,
    begin: async (scene) => {
      scene.createCluster(clusterSpec())
      scene.createTable('kept', tableSpec({ slots: 1 }))
      scene.plane.scene.reporting = true
      await scene.operator().settle()
      scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { image: 'truenow:2' }))
    },
  },
]

/** Seconds until all rests; `rounds` of them where restarts go on only as shards report. */
async function rollOut(scene: Scene, operator: ReturnType<Scene['operator']>, rounds = 0): Promise<void> {
  await operator.settle()
  for (let round = 0; round < rounds; round++) {
    scene.advance(1_000)
    operator.addAll()
    await operator.settle()
  }
}

/** Lets `last` writes happen; then nothing that this operator asks is answered any more. Answers how many were counted. */
function dieAfter(scene: Scene, last: number, answered: boolean): { writes: number; dead: boolean } {
  const count = { writes: 0, dead: false }
  const around = <Answer>(isWrite: boolean, work: () => Answer): Answer => {
    if (count.dead || (isWrite && count.writes >= last)) {
      count.dead = true
      throw new Error('killed')
    }
    const answer = work()
    if (!isWrite) return answer
    count.writes += 1
    if (count.writes < last || answered) return answer
    count.dead = true
    throw new Error('killed before the answer')
  }
  scene.kubernetes.hooks.around = ({ verb }, work) => around(WRITES.includes(verb), work)
  scene.plane.hooks.around = (_call, work) => around(true, work)
  return count
}

const live = (scene: Scene) => {
  scene.kubernetes.hooks.around = (_call, work) => work()
  scene.plane.hooks.around = (_call, work) => work()
}

/** All that stands in the end, without versions, times and Events. */
function endOf(scene: Scene) {
  const objects = scene.kubernetes
    .dump()
    .filter(({ kind }) => kind !== 'Event')
    .map((object) =>
      JSON.parse(
        JSON.stringify(object, (key, value) =>
          ['resourceVersion', 'lastTransitionTime', 'generation', 'creationTimestamp'].includes(key)
            ? undefined
            : value,
        ),
      ),
    )
  const { tables, topics, ...rest } = scene.plane.state
  const sorted = (map: Iterable<[string, unknown]>) => [...map].toSorted(([a], [b]) => a.localeCompare(b))
  return {
    objects: sorted(objects.map((one) => [`${one.kind}/${one.metadata.name}`, one])),
    catalog: { ...rest, tables: sorted(tables), topics: [...topics].toSorted() },
  }
}

async function finish(scene: Scene, rounds?: number): Promise<void> {
  const operator = scene.operator()
  for (let round = 0; round < 2; round++) {
    await rollOut(scene, operator, rounds)
    scene.advance(10_000)
    operator.addAll()
  }
  await operator.settle()
}

for (const { name, begin, rounds } of STORIES) {
  test(`crash after every write, before and after its answer: ${name}`, async () => {
    const whole = createScene()
    await begin(whole)
    const { writes: counted } = await (async () => {
      const count = dieAfter(whole, Number.POSITIVE_INFINITY, true)
      await rollOut(whole, whole.operator(), rounds)
      live(whole)
      return count
    })()
    await finish(whole, rounds)
    const expected = endOf(whole)
    assert.ok(counted > 5, `only ${counted} writes`)
    for (let last = 1; last <= counted; last++) {
      for (const answered of [false, true]) {
        const scene = createScene()
        await begin(scene)
        const count = dieAfter(scene, last, answered)
        await rollOut(scene, scene.operator(), rounds)
        assert.equal(count.writes, last)
        live(scene)
        await finish(scene, rounds)
        assert.deepEqual(
          endOf(scene),
          expected,
          `the end after write ${last}, ${answered ? 'answered' : 'unanswered'}`,
        )
      }
    }
  })
}
