import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GetPlacementResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import fc from 'fast-check'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { Outcome } from '../step.ts'
import type { RoleState, Workload } from '../workloads.ts'
import { clusterAvailable } from './cluster-available.ts'
import { clusterConditions } from './cluster-conditions.ts'
import { clusterSynced } from './cluster-synced.ts'

const { SERVING, JOINING, LEAVING } = ReplicaState
const placementOf = (
  tables: Readonly<Record<string, readonly (readonly ReplicaState[])[]>>,
  replicationFactor = 2,
) =>
  create(GetPlacementResponseSchema, {
    catalog: {
      replicationFactor,
      tables: Object.entries(tables).map(([topic, slots]) => ({
        topic,
        slots: slots.map((states, slot) => ({
          slot,
          replicas: states.map((state, shard) => ({ shard, state })),
        })),
      })),
    },
  })
const roles = (more: Readonly<Record<string, Partial<RoleState>>> = {}): RoleState[] =>
  ['control-plane', 'gateway', 'ingester', 'hot-tier', 'query', 'watermark'].map((role) => ({
    role,
    desired: 2,
    ready: 2,
    updated: 2,
    exists: true,
    ...more[role],
  }))
const whole: Outcome<ClusterFacts> = { facts: { placement: placementOf({ t: [[SERVING, SERVING]] }) } }
const judge = (outcome: Outcome<ClusterFacts>, seen = roles(), troubles = '', shards?: Workload) =>
  Object.fromEntries(
    clusterConditions(outcome, { roles: seen, shards, troubles }).map((one) => [one.type, one]),
  )
const stopped = (
  condition: string,
  kind: 'wait' | 'invalid' | 'failed',
  facts: ClusterFacts = {},
): Outcome<ClusterFacts> => ({
  facts,
  stopped: { step: 's', condition, kind, reason: 'Why', message: 'Because.' },
})

const availability: ReadonlyArray<
  [what: string, tables: Parameters<typeof placementOf>[0], status: string, said: RegExp]
> = [
  ['no tables', {}, 'True', /Every slot/],
  ['one serving replica is enough to answer', { t: [[SERVING, JOINING]] }, 'True', /Every slot/],
  ['joining does not answer', { t: [[JOINING, JOINING]] }, 'False', /t: slots 0\./],
  ['leaving does not count', { t: [[LEAVING]] }, 'False', /t: slots 0\./],
  ['no replica at all', { t: [[SERVING], []] }, 'False', /t: slots 1\./],
  [
    'many tables are counted, three are named',
    { a: [[]], b: [[]], c: [[]], d: [[]], e: [[]] },
    'False',
    /a: .*b: .*c: slots 0 and 2 more tables/,
  ],
]
for (const [what, tables, status, said] of availability) {
  test(`clusterAvailable: ${what}`, () => {
    const judged = clusterAvailable(placementOf(tables))
    assert.equal(judged.status, status)
    assert.match(judged.message, said)
  })
}

test('clusterAvailable: what nobody told is Unknown', () => {
  for (const placement of [undefined, create(GetPlacementResponseSchema, {})])
    assert.deepEqual(
      [clusterAvailable(placement).status, clusterAvailable(placement).reason],
      ['Unknown', 'PlacementUnknown'],
    )
})

const withoutKafka: Outcome<ClusterFacts> = {
  facts: {
    placement: create(GetPlacementResponseSchema, {
      catalog: { replicationFactor: 2 },
      kafkaTrouble: { reason: 'KafkaAuthenticationFailed', message: 'Correct the Secret.' },
    }),
  },
}
test('kafkaReachable: what the control plane told, and Unknown where it told nothing', () => {
  const toldOf = (facts: ClusterFacts) => {
    const { KafkaReachable: told } = judge({ facts })
    return [told?.status, told?.reason, told?.message]
  }
  assert.deepEqual(toldOf(withoutKafka.facts), ['False', 'KafkaAuthenticationFailed', 'Correct the Secret.'])
  assert.deepEqual(toldOf(whole.facts).slice(0, 2), ['True', 'Answering'])
  assert.deepEqual(toldOf({}).slice(0, 2), ['Unknown', 'PlacementUnknown'])
})

test('clusterReady: True only if all is well', () => assert.equal(judge(whole).Ready?.status, 'True'))

const unready: ReadonlyArray<[what: string, judged: ReturnType<typeof judge>, reason: string, said: RegExp]> =
  [
    [
      'a pod',
      judge(whole, roles({ query: { ready: 1 } }), 'pod q: OOMKilled'),
      'PodsNotReady',
      /query 1\/2\. pod q: OOMKilled\./,
    ],
    [
      'a spec that cannot be comes before its pods',
      judge(stopped('SpecValid', 'invalid'), roles({ query: { ready: 0 } })),
      'Why',
      /Because/,
    ],
    ['nobody knows the placement', judge({ facts: {} }), 'PlacementUnknown', /not told/],
    ['the control plane', judge(stopped('OperandReachable', 'wait', whole.facts)), 'Why', /Because/],
    [
      'Kafka, before the pods that wait for it',
      judge(withoutKafka, roles({ ingester: { ready: 0 } })),
      'KafkaAuthenticationFailed',
      /Correct the Secret/,
    ],
    [
      'a slot with one replica of two',
      judge({ facts: { placement: placementOf({ t: [[SERVING, JOINING]] }) } }),
      'UnderReplicated',
      /^1 slots/,
    ],
    ['paused', judge({ facts: { ...whole.facts, paused: true } }), 'Paused', /paused/],
    ['a rollout', judge(whole, roles({ gateway: { updated: 1 } })), 'RollingOut', /gateway 1\/2/],
    [
      'what was just applied',
      judge({ facts: { ...whole.facts, unseen: ['Deployment demo-query'] } }),
      'Applying',
      /Deployment demo-query/,
    ],
  ]
for (const [what, { Ready }, reason, said] of unready) {
  test(`clusterReady: not while there is in the way: ${what}`, () => {
    assert.deepEqual([Ready?.status, Ready?.reason], ['False', reason])
    assert.match(Ready?.message ?? '', said)
  })
}

test('clusterReady: never True beside another condition that is not', () => {
  const kinds = fc.constantFrom('wait' as const, 'invalid' as const, 'failed' as const)
  const outcome = fc.oneof(
    fc.constant<Outcome<ClusterFacts>>(whole),
    fc
      .tuple(fc.constantFrom('SpecValid', 'Synced', 'OperandReachable'), kinds)
      .map(([at, kind]) => stopped(at, kind, whole.facts)),
    fc.constant<Outcome<ClusterFacts>>({ facts: {} }),
    fc.constant<Outcome<ClusterFacts>>(withoutKafka),
    fc.constant<Outcome<ClusterFacts>>({ facts: { ...whole.facts, paused: true } }),
  )
  const counts = fc.record({ ready: fc.nat({ max: 2 }), updated: fc.nat({ max: 2 }) })
  fc.assert(
    fc.property(outcome, counts, (one, count) => {
      const judged = judge(one, roles({ query: count }))
      if (judged.Ready?.status !== 'True') return
      for (const type of ['SpecValid', 'Synced', 'OperandReachable', 'KafkaReachable', 'Available'])
        assert.equal(judged[type]?.status, 'True')
      assert.deepEqual([count.ready, count.updated], [2, 2])
    }),
  )
})

test('clusterSynced: neither while shards run an older template, nor while roles wait for a new image', () => {
  const old = clusterSynced(whole, roles({ 'hot-tier': { updated: 1 } }))
  assert.deepEqual([old.status, old.reason], ['False', 'RollingOut'])
  assert.match(old.message, /hot-tier 1\/2/)
  const facts: ClusterFacts = { ...whole.facts, waiting: { roles: ['ingester', 'gateway'], behind: 'query' } }
  const waits = clusterSynced({ facts }, roles())
  assert.deepEqual([waits.status, waits.reason], ['False', 'RollingOut'])
  assert.match(waits.message, /waits for query: ingester, gateway/)
})
