import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkout } from '@truenow/chassis/testing/server-process.ts'
import { parseAllDocuments } from 'yaml'
import { commandLineTools } from '../../e2e/cluster/command-line-tools.ts'
import { namespacedRules, type PolicyRule } from '../src/api/rbac.ts'
import { CHILD_RESOURCES, POLICIES, POLICY_BINDINGS } from '../src/kubernetes/resources.ts'

/*
 * The ways to install the chart, rendered by the real helm: for the whole Kubernetes cluster, for some namespaces with a
 * Role in each and nothing cluster-wide, and as a further release beside another.
 */
type Rendered = Readonly<{
  kind: string
  metadata: { name: string; namespace?: string }
  rules?: readonly PolicyRule[]
  spec?: { template?: { spec: { containers: { env: { name: string; value?: string }[] }[] } } }
}>
const CHART = join(checkout, 'charts/truenow')
const HELM = join(commandLineTools(checkout), 'helm')
const CLUSTER_WIDE = [
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]
const helm = (...args: readonly string[]) => spawnSync(HELM, args, { encoding: 'utf8' })
const settings = (set: readonly string[]) => set.flatMap((one) => ['--set', one])

function render(release: string, namespace: string, ...set: readonly string[]): Rendered[] {
  const { status, stdout, stderr } = helm('template', release, CHART, '-n', namespace, ...settings(set))
  assert.equal(status, 0, stderr)
  return parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Rendered | null) ?? [])
}
const clusterWide = (rendered: readonly Rendered[]) =>
  rendered
    .filter(({ kind }) => CLUSTER_WIDE.includes(kind))
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
const FURTHER = ['crds.install=false', 'policies.install=false'] as const
const NAMESPACED = ['watchNamespaces={apps,more-apps}', ...FURTHER] as const

test('chart: a namespaced release brings a Role to each of its namespaces and nothing cluster-wide', () => {
  const rendered = render('blue', 'ops', ...NAMESPACED)
  assert.deepEqual(clusterWide(rendered), [])
  const roles = rendered.filter(({ kind }) => kind === 'Role')
  assert.deepEqual(roles.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).toSorted(), [
    'apps/blue-truenow-operator',
    'more-apps/blue-truenow-operator',
    'ops/blue-truenow-operator-lease',
  ])
  for (const { metadata, rules } of roles)
    if (metadata.namespace !== 'ops') assert.deepEqual(rules, namespacedRules)
  // What its Roles do not grant is what `status.unobserved` names.
  const granted = roles.flatMap(({ rules = [] }) => rules.flatMap(({ resources }) => resources))
  for (const { plural } of [POLICIES, POLICY_BINDINGS]) assert.ok(!granted.includes(plural), plural)
  for (const { plural } of CHILD_RESOURCES) assert.ok(granted.includes(plural), plural)
  const [operator] = rendered.filter(({ kind }) => kind === 'Deployment')
  const watched = operator?.spec?.template?.spec.containers[0]?.env.find(
    ({ name }) => name === 'TRUENOW_WATCH_NAMESPACES',
  )
  assert.equal(watched?.value, 'apps,more-apps')
})

test('chart: a release for the whole Kubernetes cluster may look at the policy, by name', () => {
  const [role] = render('blue', 'ops').filter(({ kind }) => kind === 'ClusterRole')
  const [rule] = (role?.rules ?? []).filter(({ resources }) => resources.includes(POLICIES.plural))
  assert.deepEqual([rule?.verbs, rule?.resourceNames], [['get'], ['truenow-deletion-protection']])
})

test('chart: each switch takes away what it names, and two releases have no object in common', () => {
  const all = clusterWide(render('blue', 'ops')).map((one) => one.split(' ')[0])
  const without = (...set: string[]) => {
    const left = clusterWide(render('blue', 'ops', ...set)).map((one) => one.split(' ')[0])
    return new Set(all.filter((kind) => !left.includes(kind)))
  }
  assert.deepEqual(without('crds.install=false'), new Set(['CustomResourceDefinition']))
  assert.deepEqual(
    without('policies.install=false'),
    new Set(['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']),
  )
  const names = (release: string, ...set: string[]) =>
    render(release, 'ops', ...set).map(
      ({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`,
    )
  const blue = names('blue')
  assert.deepEqual(
    names('green', ...FURTHER).filter((name) => blue.includes(name)),
    [],
  )
})

test('chart: helm lint finds nothing, and a setting that does not exist is refused by name', () => {
  for (const set of [[], NAMESPACED]) {
    const { status, stdout } = helm('lint', CHART, '--strict', '--quiet', ...settings(set))
    assert.equal(status, 0, stdout)
  }
  const { status, stderr } = helm('template', 'blue', CHART, '--set', 'watchNamespace=apps')
  assert.notEqual(status, 0)
  assert.match(stderr, /watchNamespace/)
})
