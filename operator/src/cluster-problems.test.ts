import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowClusterSpec } from './api/v1alpha1/truenow-cluster.ts'
import { clusterProblems } from './cluster-problems.ts'
import { anyCluster } from './resources/testing/any-cluster.ts'

const [sample] = fc.sample(anyCluster, { numRuns: 1, seed: 1 })
const hotTier = {
  shards: 2,
  replicationFactor: 2,
  memoryPerShard: '1Gi',
  workers: 1,
  storage: { size: '2Gi' },
}
const kafka = { brokers: ['kafka:9092'], topics: { replicationFactor: 3, minInsyncReplicas: 2 } }
const specOf = (more: object): TrueNowClusterSpec => ({
  ...(sample?.spec as TrueNowClusterSpec),
  hotTier,
  kafka,
  ...more,
})
const plain = { mechanism: 'PLAIN', secretRef: { name: 'kafka' } }
const brokers = (...names: string[]) => ({ kafka: { ...kafka, brokers: names } })
const cases: ReadonlyArray<[what: string, spec: object, said: readonly RegExp[]]> = [
  ['nothing wrong', {}, []],
  ['as many replicas as shards', { hotTier: { ...hotTier, shards: 1, replicationFactor: 1 } }, []],
  [
    'more replicas than shards',
    { hotTier: { ...hotTier, shards: 1 } },
    [/replicationFactor is above shards/],
  ],
  ['as many shards left as replicas', { hotTier: { ...hotTier, shards: 3, drain: [1, 7] } }, []],
  ['fewer shards left than replicas', { hotTier: { ...hotTier, drain: [1] } }, [/drain leaves fewer shards/]],
  [
    'more in sync than there are',
    { kafka: { ...kafka, topics: { replicationFactor: 1, minInsyncReplicas: 2 } } },
    [/minInsyncReplicas/],
  ],
  [
    'memory that is no quantity',
    { hotTier: { ...hotTier, memoryPerShard: 'lots' } },
    [/memoryPerShard is no quantity/],
  ],
  ['as little memory as allowed', { hotTier: { ...hotTier, memoryPerShard: '512Mi' } }, []],
  ['too little memory', { hotTier: { ...hotTier, memoryPerShard: '511Mi' } }, [/below 512Mi/]],
  [
    'as little memory as its workers need',
    { hotTier: { ...hotTier, memoryPerShard: '800Mi', workers: 2 } },
    [],
  ],
  [
    'more workers than memory',
    { hotTier: { ...hotTier, memoryPerShard: '799Mi', workers: 2 } },
    [/288Mi for each of .*workers/],
  ],
  ['as much memory as allowed', { hotTier: { ...hotTier, memoryPerShard: '128Gi' } }, []],
  ['more memory than a shard can use', { hotTier: { ...hotTier, memoryPerShard: '129Gi' } }, [/above 128Gi/]],
  [
    'storage that is no quantity',
    { hotTier: { ...hotTier, storage: { size: 'big' } } },
    [/storage\.size is no quantity/],
  ],
  ['an autoscaler of one size', { query: { replicas: 3, autoscaling: { maxReplicas: 3 } } }, []],
  [
    'an autoscaler below its floor',
    { ingester: { autoscaling: { maxReplicas: 1 } } },
    [/ingester\.autoscaling\.maxReplicas is below replicas/],
  ],
  ['a password that all can read', { kafka: { ...kafka, sasl: plain } }, [/sasl\.mechanism PLAIN/]],
  [
    'a password that all can read, with TLS turned off',
    { kafka: { ...kafka, sasl: plain, tls: { enabled: false } } },
    [/tls\.enabled/],
  ],
  ['a password within TLS', { kafka: { ...kafka, sasl: plain, tls: { enabled: true } } }, []],
  [
    'a password that is never sent',
    { kafka: { ...kafka, sasl: { ...plain, mechanism: 'SCRAM-SHA-512' } } },
    [],
  ],
  ['the last lawful port', brokers('a:65535'), []],
  ['a port beyond', brokers('a:9092', 'b:65536'), [/brokers\[1\]/]],
  ['port zero', brokers('a:0'), [/brokers\[0\]/]],
  ['no port', brokers('a'), [/brokers\[0\]/]],
  [
    'all mistakes at once',
    { ...brokers('a'), hotTier: { ...hotTier, shards: 1, memoryPerShard: '1' } },
    [/shards/, /below/, /brokers/],
  ],
]
for (const [what, spec, said] of cases) {
  test(`clusterProblems: ${what}`, () => {
    const problems = clusterProblems(specOf(spec))
    assert.equal(problems.length, said.length, problems.join('; '))
    for (const [index, pattern] of said.entries()) assert.match(problems[index] ?? '', pattern)
  })
}

test('clusterProblems: each names its field, and tells no value: a value may be a secret', () => {
  for (const problem of clusterProblems(
    specOf({ ...brokers('user:hunter2@host'), hotTier: { ...hotTier, memoryPerShard: 'hunter2' } }),
  )) {
    assert.match(problem, /^spec\./)
    assert.equal(problem.includes('hunter2'), false)
  }
})
