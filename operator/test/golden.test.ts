import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import type { TrueNowCluster } from '../src/api/v1alpha1/truenow-cluster.ts'
import type { KubernetesObject } from '../src/resources/kubernetes-object.ts'
import { createScene, DEMO, type Scene } from './scene.ts'

type Golden = Readonly<{ cluster: TrueNowCluster; workloads: readonly KubernetesObject[] }>
type Template = Record<string, unknown> & { metadata: object; spec: { containers: object[] } }

/** SHA-256 of every golden file. They say what runs in the clusters of those who upgrade: written once, never edited. */
const DIGESTS: Readonly<Record<string, string>> = {
  '0.1.0/every-knob.json': '1f9b4826d859dcb82e077b8fcb61eb09a550dec6ba12c811212b5c48bfc4c946',
  '0.1.0/quickstart.json': 'b2ba72835fdaa5d0c499ddb1885b7a2423b83e1e96f5249553f31a2096b5dac2',
}
const directory = join(import.meta.dirname, '../golden')
const files = globSync(join(directory, '*.*.*/*.json')).map((file) => relative(directory, file))

test('golden: what a release made of its clusters is as it was written, and every release is there', () => {
  const digests = files.map((file) => [
    file,
    createHash('sha256')
      .update(readFileSync(join(directory, file)))
      .digest('hex'),
  ])
  assert.deepEqual(Object.fromEntries(digests.toSorted()), DIGESTS)
  const releases = JSON.parse(readFileSync(join(directory, '../../e2e/releases.json'), 'utf8')) as {
    version: string
  }[]
  const clusters = globSync(join(directory, 'clusters/*.json')).length
  assert.equal(files.length, releases.length * clusters)
})

const templatesOf = ({ kubernetes }: Scene) =>
  Object.fromEntries(
    ['Deployment', 'StatefulSet']
      .flatMap((kind) => kubernetes.list(kind))
      .map(({ metadata, spec }) => [metadata.name, (spec as { template: Template }).template] as const)
      .toSorted(([left], [right]) => left.localeCompare(right)),
  )

/** A cluster as that release left it: its objects, what the API server added to them, and its status. `edit` makes it another release. */
function asLeftBy({ cluster, workloads }: Golden, edit = (text: string) => text): Scene {
  const scene = createScene()
  scene.plane.scene.reporting = true
  const spec = { ...cluster.spec, image: cluster.spec.image ?? 'registry.example/truenow:golden' }
  // Where the spec names no image, what runs is what counts.
  const { image: _, ...unset } = spec
  const made = scene.createCluster(cluster.spec.image === undefined ? (unset as typeof spec) : spec)
  scene.kubernetes.edit(
    'TrueNowCluster',
    DEMO,
    (draft) =>
      void Object.assign(draft, {
        status: { observedGeneration: 1, operator: 'truenow/operator', phase: 'Ready' },
      }),
    'truenow-operator',
  )
  for (const workload of workloads) {
    const text = edit(JSON.stringify(workload)).replaceAll('uid-of-the-cluster', made.metadata.uid)
    const object = JSON.parse(text.replaceAll('"namespace":"quickstart"', `"namespace":"${DEMO.namespace}"`))
    const { template } = object.spec as { template: Template }
    Object.assign(template.metadata, { creationTimestamp: null })
    Object.assign(template.spec, {
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
    })
    for (const container of template.spec.containers)
      Object.assign(container, {
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      })
    scene.kubernetes.create(object)
  }
  scene.runKubelet()
  return scene
}

/** What runs, without what the API server writes. */
const plain = (templates: ReturnType<typeof templatesOf>) =>
  JSON.parse(
    JSON.stringify(templates)
      .replaceAll('"creationTimestamp":null,', '')
      .replaceAll(',"creationTimestamp":null', ''),
  )

const RELEASES: ReadonlyArray<[release: string, edit: (text: string) => string, told: readonly string[]]> = [
  ['as it is', (text) => text, ['NothingWaits', 'TemplateChangePending']],
  // One that would have made every pod otherwise than we do.
  [
    'one setting had another name',
    (text) => text.replaceAll('TRUENOW_GRACE_SECONDS', 'TRUENOW_FORMER'),
    ['TemplateChangePending'],
  ],
]

for (const file of files) {
  const golden = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Golden

  for (const [release, edit, told] of RELEASES) {
    test(`golden: this operator changes no pod of a cluster of ${file}, and restarts none (${release})`, async () => {
      const scene = asLeftBy(golden, edit)
      const before = plain(templatesOf(scene))
      const pods = scene.kubernetes.list('Pod').map(({ metadata }) => metadata.uid)
      const operator = scene.operator({ image: 'registry.example/truenow:next' })
      for (let second = 0; second < 10; second++) {
        await operator.settle()
        scene.advance(1_000)
        operator.addAll()
      }
      assert.equal(operator.errors.length, 0)
      const after = plain(templatesOf(scene))
      for (const [name, template] of Object.entries(before)) assert.deepEqual(after[name], template, name)
      assert.deepEqual(
        scene.kubernetes.list('Pod').map(({ metadata }) => metadata.uid),
        pods,
      )
      assert.ok(pods.length > 1)
      const blocked = scene.cluster()?.status?.conditions?.find(({ type }) => type === 'UpgradeBlocked')
      assert.ok(told.includes(blocked?.reason ?? ''), blocked?.reason)
    })
  }

  test(`golden: from ${file} the next image reaches every role, and all that waited with it`, async () => {
    const scene = asLeftBy(golden)
    const operator = scene.operator()
    await operator.settle()
    scene.editSpec(
      'TrueNowCluster',
      'demo',
      (spec) => void Object.assign(spec, { image: 'registry.example/truenow:next' }),
    )
    for (let second = 0; second < 20; second++) {
      await operator.settle()
      scene.advance(1_000)
      operator.addAll()
    }
    for (const [name, { spec }] of Object.entries(templatesOf(scene)))
      assert.match(JSON.stringify(spec.containers), /truenow:next/, name)
    const { conditions } = scene.cluster()?.status ?? {}
    assert.equal(conditions?.find(({ type }) => type === 'UpgradeBlocked')?.reason, 'NothingWaits')
    const restarted = scene.kubernetes.list('Pod').map(({ metadata }) => metadata.uid.split('-').at(-1))
    assert.deepEqual(new Set(restarted), new Set(['2']), 'each shard restarted once')
  })
}
