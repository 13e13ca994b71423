import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CHILD_RESOURCES,
  CLUSTERS,
  MONITORING_RESOURCES,
  PODS,
  REBALANCES,
  SECRETS,
  TABLES,
  VOLUME_CLAIMS,
} from '../kubernetes/resources.ts'
import { clusterRules, namespacedRules, operatorNamespaceRules, type PolicyRule } from './rbac.ts'

const all = [...namespacedRules, ...clusterRules, ...operatorNamespaceRules]
const may = (rules: readonly PolicyRule[], resource: string): string[] =>
  rules.filter(({ resources }) => resources.includes(resource)).flatMap(({ verbs }) => [...verbs])

test('rbac: no star, nothing that would let the operator grant itself more', () => {
  const forbidden = ['*', 'pods/exec', 'nodes', 'serviceaccounts/token']
  const escalating = ['escalate', 'bind', 'impersonate', 'deletecollection', '*']
  for (const { apiGroups, resources, verbs } of all) {
    assert.deepEqual(
      resources.filter((one) => forbidden.includes(one)),
      [],
    )
    assert.deepEqual(
      verbs.filter((one) => escalating.includes(one)),
      [],
    )
    assert.ok(!apiGroups.includes('*') && !apiGroups.includes('rbac.authorization.k8s.io'))
  }
})

test('rbac: Secrets are reached by name, never listed, watched or deleted', () => {
  assert.deepEqual(new Set(may(all, SECRETS.plural)), new Set(['get', 'create', 'patch']))
})

test('rbac: objects of users are never deleted, and only a Rebalance is created, by its API; pods are never made or changed', () => {
  for (const { plural } of [CLUSTERS, REBALANCES, TABLES]) {
    const verbs = may(all, plural)
    assert.ok(!verbs.includes('delete') && !verbs.includes('update'), plural)
    assert.equal(verbs.includes('create'), plural === REBALANCES.plural, plural)
  }
  assert.deepEqual(new Set(may(all, PODS.plural)), new Set(['list', 'watch', 'delete']))
})

test('rbac: deleted are volumes, the set that holds them, pods of shards, disruption budgets, autoscalers and what watches a cluster, and nothing else', () => {
  const deleted = new Set(
    all.filter(({ verbs }) => verbs.includes('delete')).flatMap(({ resources }) => [...resources]),
  )
  const monitoring = MONITORING_RESOURCES.map(({ plural }) => plural)
  const spared = ['poddisruptionbudgets', 'horizontalpodautoscalers']
  assert.deepEqual(
    deleted,
    new Set([VOLUME_CLAIMS.plural, 'statefulsets', PODS.plural, ...spared, ...monitoring]),
  )
})

test('rbac: every child can be followed, made and changed', () => {
  for (const { plural, apiVersion } of [...CHILD_RESOURCES, ...MONITORING_RESOURCES]) {
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
    const rules = namespacedRules.filter(({ apiGroups }) => apiGroups.includes(group ?? ''))
    for (const verb of ['list', 'watch', 'create', 'patch'])
      assert.ok(may(rules, plural).includes(verb), `${verb} ${plural}`)
  }
})

test('rbac: its own namespace adds the Lease, Events, and its own Deployment by name', () => {
  for (const { resources, resourceNames } of operatorNamespaceRules)
    if (resources.includes('deployments')) assert.equal(resourceNames?.length, 1)
  for (const { resources, verbs, resourceNames } of operatorNamespaceRules)
    if (resources.includes('leases') && !verbs.includes('create')) assert.equal(resourceNames?.length, 1)
  assert.deepEqual(may(operatorNamespaceRules, 'leases').toSorted(), ['create', 'get', 'update'])
})
