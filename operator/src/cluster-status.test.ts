import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GetPlacementResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import fc from 'fast-check'
import type { PolicySeen } from './admission-policy.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { clusterStatus } from './cluster-status.ts'
import { anyCluster } from './resources/testing/any-cluster.ts'
import type { Outcome } from './step.ts'
import type { RoleState } from './workloads.ts'

const [sample] = fc.sample(anyCluster, { numRuns: 1, seed: 5 })
assert.ok(sample !== undefined)
const hotTier = {
  shards: 2,
  replicationFactor: 2,
  memoryPerShard: '1Gi',
  workers: 1,
  storage: { size: '2Gi' },
}
const base: TrueNowCluster = {
  ...sample,
  metadata: { ...sample.metadata, name: 'demo' },
  spec: { ...sample.spec, hotTier, paused: false },
}
const role = (name: string, ready: number): RoleState => ({
  role: name,
  desired: 2,
  ready,
  updated: 2,
  exists: true,
})
const whole: Outcome<ClusterFacts> = {
  facts: {
    image: 'truenow:1',
    freshnessUs: 500_000,
    placement: create(GetPlacementResponseSchema, { catalog: { replicationFactor: 2 } }),
  },
}
const invalid: Outcome<ClusterFacts> = {
  facts: {},
  stopped: { step: 's', condition: 'SpecValid', kind: 'invalid', reason: 'InvalidSpec', message: 'No.' },
}
const INSTALLED: PolicySeen = { state: 'Installed', unobserved: [] }
const statusOf = (cluster: TrueNowCluster, outcome = whole, ready = 2, policy = INSTALLED) =>
  clusterStatus(
    cluster,
    outcome,
    { roles: [role('hot-tier', ready), role('query', 2)], shards: undefined, troubles: '' },
    { operator: 'truenow/operator', now: '2026-01-01T00:00:00Z', policy },
  )
const was = (phase: string, cluster = base): TrueNowCluster => ({ ...cluster, status: { phase } })
const paused = { ...base, spec: { ...base.spec, paused: true } }
const going = { ...base, metadata: { ...base.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
const unready: Outcome<ClusterFacts> = { facts: {} }

const phases: ReadonlyArray<
  [what: string, cluster: TrueNowCluster, outcome: Outcome<ClusterFacts>, expected: string]
> = [
  ['all is well', base, whole, 'Ready'],
  ['never was whole', base, unready, 'Creating'],
  ['was being made', was('Creating'), unready, 'Creating'],
  ['was whole', was('Ready'), unready, 'Degraded'],
  ['is still not whole', was('Degraded'), unready, 'Degraded'],
  ['whole again', was('Degraded'), whole, 'Ready'],
  ['a bad spec', was('Ready'), invalid, 'Invalid'],
  ['a bad spec, paused', { ...paused, status: {} }, invalid, 'Invalid'],
  ['a mended spec', was('Invalid'), unready, 'Creating'],
  ['paused', was('Ready', paused), whole, 'Paused'],
  ['on its way out', was('Ready', going), whole, 'Deleting'],
]
for (const [what, cluster, outcome, expected] of phases) {
  test(`clusterStatus: phase: ${what}`, () => assert.equal(statusOf(cluster, outcome).phase, expected))
}

test('clusterStatus: counts for people and for the scale subresource', () => {
  const status = statusOf({ ...base, metadata: { ...base.metadata, generation: 7 } }, whole, 1)
  const { ready, shards, readyShards, desiredShards, observedGeneration, freshness, image, operator } = status
  assert.deepEqual(
    { ready, shards, readyShards, desiredShards, observedGeneration, freshness, image, operator },
    {
      ready: '3/4',
      shards: '1/2',
      readyShards: 1,
      desiredShards: 2,
      observedGeneration: 7,
      freshness: '<1s',
      image: 'truenow:1',
      operator: 'truenow/operator',
    },
  )
  assert.ok(status.selector?.split(',').includes('app.kubernetes.io/component=hot-tier'))
  assert.ok(status.conditions?.every((one) => one.observedGeneration === 7))
})

test('clusterStatus: pods that are too many do not make up for others', () => {
  assert.equal(statusOf(base, whole, 9).ready, '4/4')
})

test('clusterStatus: an image that this pass did not find out stays told', () => {
  const cluster = { ...base, status: { image: 'truenow:0' } }
  assert.equal(statusOf(cluster, unready).image, 'truenow:0')
  assert.equal('image' in statusOf(base, unready), false)
})

test('clusterStatus: the same pass again gives the same status, so that nothing is written', () => {
  const once = statusOf(base)
  assert.deepEqual(statusOf({ ...base, status: once }), once)
})

test('clusterStatus: tells what the operator may not look at, and nothing where it sees all', () => {
  const { admissionPolicy, unobserved } = statusOf(base)
  assert.deepEqual([admissionPolicy, unobserved], ['Installed', undefined])
  const blind = statusOf(base, whole, 2, { state: 'Unobserved', unobserved: ['a.b/c'] })
  assert.deepEqual([blind.admissionPolicy, blind.unobserved], ['Unobserved', ['a.b/c']])
})
