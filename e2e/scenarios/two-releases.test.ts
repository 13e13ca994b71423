import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from '../install-truenow.ts'
import { secondCluster } from '../second-cluster.ts'
import { helm, kubectl } from '../target.ts'
import { root, testCluster } from '../test-cluster.ts'

/*
 * Two releases side by side, each in a namespace of its own with a Role and nothing cluster-wide, each with a cluster of one
 * name on one Kafka, PostgreSQL and Redis; and what real helm does to them: test, upgrade, rollback, uninstall. The standing
 * operator, which acts everywhere, rests meanwhile: it would claim their clusters.
 */
const RELEASES = ['blue', 'green'] as const
type Release = (typeof RELEASES)[number]
const END_S_MAX = 90
const { cluster: name } = QUICKSTART
const operatorOf = (release: Release) => `${release}-truenow-operator`
let cluster: Cluster
let image: string

const standing = (...args: string[]) => kubectl(cluster, ['-n', OPERATOR_NAMESPACE, ...args])
const at = (release: Release, ...args: string[]) => kubectl(cluster, ['-n', release, ...args])
const wait = (release: Release, object: string, seconds = 180) =>
  at(release, 'wait', '--for=condition=Ready', object, `--timeout=${seconds}s`)

before(async () => {
  cluster = await testCluster()
  const path = 'jsonpath={.spec.template.spec.containers[0].image}'
  image = await standing('get', 'deployment/truenow-operator', '-o', path)
  await standing('scale', 'deployment/truenow-operator', '--replicas=0')
  await standing('wait', '--for=delete', 'pod', '-l', 'app.kubernetes.io/component=operator', '--timeout=60s')
})
after(async () => {
  for (const release of RELEASES) {
    await cluster.helm(['uninstall', release, '-n', release, '--ignore-not-found', '--wait'])
    await kubectl(cluster, ['delete', 'namespace', release, '--ignore-not-found', `--timeout=${END_S_MAX}s`])
  }
  await standing('scale', 'deployment/truenow-operator', '--replicas=2')
  await standing('rollout', 'status', 'deployment/truenow-operator', '--timeout=90s')
})

const install = (release: Release, ...set: readonly string[]) => {
  const split = image.lastIndexOf(':')
  const settings = [
    `image.repository=${image.slice(0, split)}`,
    `image.tag=${image.slice(split + 1)}`,
    `watchNamespaces={${release}}`,
    'crds.install=false',
    'policies.install=false',
    'replicas=1',
    ...set,
  ]
  const given = settings.flatMap((one) => ['--set', one])
  const chart = `${root}/charts/truenow`
  return helm(cluster, ['upgrade', '--install', release, chart, '-n', release, ...given, '--wait', '--timeout', '180s']) // biome-ignore format: one line
}
const statusOf = async (release: Release) =>
  JSON.parse(await at(release, 'get', `truenowcluster/${name}`, '-o', 'json')).status
/** What Kubernetes made of the cluster: pods that were made anew have another uid. */
const podsOf = async (release: Release) => {
  const ofCluster = [
    'get',
    'pods',
    '-l',
    `truenow.io/cluster=${name}`,
    '-o',
    'jsonpath={.items[*].metadata.uid}',
  ]
  return (await at(release, ...ofCluster)).split(' ').toSorted()
}
const may = async (release: Release, verb: string, resource: string, ...where: string[]) => {
  const as = `system:serviceaccount:${release}:${operatorOf(release)}`
  const { stdout } = await cluster.kubectl(['auth', 'can-i', verb, resource, `--as=${as}`, ...where])
  return stdout.trim()
}

test('two namespaced releases, each with a cluster of one name: both Ready, each held by its own operator', async () => {
  for (const release of RELEASES) {
    await kubectl(
      cluster,
      ['apply', '-f', '-'],
      secondCluster({ namespace: release, tables: [{ object: 'events' }] }),
    )
    await install(release)
  }
  for (const release of RELEASES) {
    await wait(release, `truenowcluster/${name}`)
    await wait(release, 'table/events')
    const { operator, admissionPolicy, unobserved } = await statusOf(release)
    assert.equal(operator, `${release}/${operatorOf(release)}`)
    assert.equal(admissionPolicy, 'Unobserved')
    assert.match(String(unobserved), /validatingadmissionpolicies\.admissionregistration\.k8s\.io/)
  }
})

test('a Role only: neither may look into the other’s namespace, nor at anything cluster-wide', async () => {
  assert.equal(await may('blue', 'list', 'truenowclusters', '-n', 'blue'), 'yes')
  for (const [verb, resource, ...where] of [
    ['list', 'truenowclusters', '-n', 'green'],
    ['patch', 'statefulsets', '-n', 'green'],
    ['list', 'truenowclusters', '--all-namespaces'],
    ['list', 'namespaces'],
    ['list', 'nodes'],
    ['get', 'validatingadmissionpolicies'],
    ['list', 'secrets', '-n', 'blue'],
    ['get', 'secrets', '-n', 'green'],
  ] as const)
    assert.equal(await may('blue', verb, resource, ...where), 'no', `${verb} ${resource} ${where.join(' ')}`)
})

test('helm test, upgrade and rollback of one: its operator changes, no pod of either cluster is made anew', async () => {
  const before = { blue: await podsOf('blue'), green: await podsOf('green') }
  const level = 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="TRUENOW_LOG_LEVEL")].value}'
  const levelOf = () => at('blue', 'get', `deployment/${operatorOf('blue')}`, '-o', level)
  for (const release of RELEASES) await helm(cluster, ['test', release, '-n', release, '--timeout', '90s'])
  await install('blue', 'logLevel=DEBUG')
  assert.equal(await levelOf(), 'DEBUG')
  await helm(cluster, ['rollback', 'blue', '1', '-n', 'blue', '--wait', '--timeout', '120s'])
  assert.equal(await levelOf(), 'INFO')
  await helm(cluster, ['test', 'blue', '-n', 'blue', '--timeout', '90s'])
  await wait('blue', `truenowcluster/${name}`)
  assert.deepEqual({ blue: await podsOf('blue'), green: await podsOf('green') }, before)
})

test('uninstalled, one leaves its cluster running and lets its namespace go; the other notices nothing', async () => {
  const [blue, green] = [await podsOf('blue'), await podsOf('green')]
  await helm(cluster, ['uninstall', 'green', '-n', 'green', '--wait', '--timeout', `${END_S_MAX}s`])
  assert.deepEqual(await podsOf('green'), green, 'its pods go on')
  assert.equal((await statusOf('green')).operator, undefined, 'its claim is given up')
  await kubectl(cluster, ['delete', 'namespace', 'green', `--timeout=${END_S_MAX}s`])
  assert.deepEqual(await podsOf('blue'), blue)
  await eventually('blue is Ready', 30_000, async () => {
    const { phase } = await statusOf('blue')
    return phase === 'Ready' ? undefined : `it is ${phase}`
  })
})
