import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowCluster, TrueNowClusterSpec } from '../api/v1alpha1/truenow-cluster.ts'
import { childrenOf } from '../resources/all-children.ts'
import { anyCluster } from '../resources/testing/any-cluster.ts'
import { templateOf } from './held-template.ts'
import { UPGRADE_ORDER } from './release-templates.ts'
import { templateInputs } from './template-inputs.ts'

const [cluster] = fc.sample(anyCluster, { numRuns: 1, seed: 5 }) as [TrueNowCluster]
const withSpec = (change: Partial<TrueNowClusterSpec>): TrueNowCluster => ({
  ...cluster,
  spec: { ...cluster.spec, ...change },
})
const inputs = (of: TrueNowCluster, image = 'truenow:1', restart?: string) =>
  UPGRADE_ORDER.map((role) => templateInputs(of, role, image, restart))
const templates = (of: TrueNowCluster) => {
  const children = childrenOf(of, 'truenow:1')
  return UPGRADE_ORDER.map((role) =>
    JSON.stringify(
      templateOf(
        children.find(
          ({ kind, metadata }) =>
            ['Deployment', 'StatefulSet'].includes(kind) && metadata.name === `${of.metadata.name}-${role}`,
        ) ?? {},
      ),
    ),
  )
}

test('templateInputs: whatever of the spec changes a role’s pods changes its inputs', () => {
  const changed = new Set<string>()
  const fields = Object.keys(cluster.spec) as (keyof TrueNowClusterSpec)[]
  fc.assert(
    fc.property(anyCluster, anyCluster, fc.constantFrom(...fields), (left, right, field) => {
      const next = { ...left, spec: { ...left.spec, [field]: right.spec[field] } } as TrueNowCluster
      const plain = JSON.parse(JSON.stringify(next)) as TrueNowCluster
      const [before, after] = [templates(left), templates(plain)]
      const [inputsBefore, inputsAfter] = [inputs(left), inputs(plain)]
      for (const [at, role] of UPGRADE_ORDER.entries()) {
        if (before[at] === after[at]) continue
        changed.add(role)
        assert.notEqual(inputsBefore[at], inputsAfter[at], `${role}: ${field}`)
      }
    }),
    { numRuns: 400 },
  )
  assert.equal(changed.size, UPGRADE_ORDER.length)
})

test('templateInputs: what pods are not made of, and defaults that a CRD fills in, are no input', () => {
  const same: ReadonlyArray<Partial<TrueNowClusterSpec>> = [
    { paused: true },
    { deletionPolicy: cluster.spec.deletionPolicy === 'Delete' ? 'Retain' : 'Delete' },
    { rebalance: { mode: 'Auto', concurrentMoves: 4, replaceAfter: '5m', hotSlotPercent: 50 } },
    { upgradePolicy: 'Always' },
    { watermark: { ...cluster.spec.watermark, replicas: 7 } },
    { hotTier: { ...cluster.spec.hotTier, shards: cluster.spec.hotTier.shards + 1 } },
  ]
  for (const change of same)
    assert.deepEqual(inputs(withSpec(change)), inputs(cluster), JSON.stringify(change))
  const { watermark: _w, gateway: _g, ...rest } = cluster.spec
  const bare = { ...cluster, spec: rest as TrueNowClusterSpec }
  const filled = withSpec({ watermark: { replicas: 1 }, gateway: { replicas: 2 } })
  assert.deepEqual(inputs(bare), inputs(filled))
})

test('templateInputs: one role’s section is no input of another; the image is everyone’s, the restart the shards’ alone', () => {
  const differing = (left: readonly string[], right: readonly string[]) =>
    UPGRADE_ORDER.filter((_, at) => left[at] !== right[at])
  const more = withSpec({ ingester: { replicas: 2, resources: { limits: { memory: '77Mi' } } } })
  assert.deepEqual(differing(inputs(cluster), inputs(more)), ['ingester'])
  assert.deepEqual(differing(inputs(cluster), inputs(cluster, 'truenow:2')), [...UPGRADE_ORDER])
})

test('templateInputs: the order of keys says nothing', () => {
  const { spec } = cluster
  const turned = Object.fromEntries(Object.entries(spec).toReversed()) as TrueNowClusterSpec
  assert.deepEqual(inputs({ ...cluster, spec: turned }), inputs(cluster))
})
