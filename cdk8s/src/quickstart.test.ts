import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Testing } from 'cdk8s'
import { Quickstart } from './quickstart.ts'

type Security = Readonly<Record<string, unknown>>
type Manifest = {
  kind: string
  metadata: { name: string; namespace?: string }
  spec?: Record<string, unknown>
}

const props = {
  namespace: 'quickstart',
  cluster: 'demo',
  kafkaImage: 'k',
  postgresImage: 'p',
  redisImage: 'r',
  postgresPassword: 'w',
}
const manifests = Testing.synth(new Quickstart(Testing.app(), 'quickstart', props)) as Manifest[]

test('quickstart: a cluster of 2 shards with 2 replicas and two tables in two logical namespaces', () => {
  const cluster = manifests.find(({ kind }) => kind === 'TrueNowCluster')
  assert.deepEqual(cluster?.spec?.hotTier, {
    shards: 2,
    replicationFactor: 2,
    memoryPerShard: '1Gi',
    storage: { size: '2Gi' },
  })
  const tables = manifests.filter(({ kind }) => kind === 'Table')
  assert.deepEqual(tables.map(({ spec }) => spec?.namespace).toSorted(), ['production', 'staging'])
})

test('quickstart: everything lies in its namespace, and every pod is restricted', () => {
  const pods = manifests.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')
  assert.equal(pods.length, 3)
  for (const { metadata, spec } of pods) {
    const { template } = spec as {
      template: { spec: { securityContext: Security; containers: Array<{ securityContext: Security }> } }
    }
    assert.equal(template.spec.securityContext.runAsNonRoot, true, metadata.name)
    for (const { securityContext } of template.spec.containers) {
      assert.equal(securityContext.readOnlyRootFilesystem, true, metadata.name)
      assert.equal(securityContext.allowPrivilegeEscalation, false, metadata.name)
      assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, metadata.name)
    }
  }
  const elsewhere = manifests.filter(
    ({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace !== 'quickstart',
  )
  assert.deepEqual(elsewhere, [])
})

test('quickstart: no selector carries a name hashed from the construct path, which would break upgrades', () => {
  assert.equal(JSON.stringify(manifests).includes('cdk8s.io/metadata.addr'), false)
})
