import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { RestartChoice } from '../restarts/choose-restart.ts'
import type { ShardPod } from '../restarts/restart-state.ts'
import type { Outcome } from '../step.ts'
import type { RoleState, Workload } from '../workloads.ts'
import { upgradeBlocked } from './upgrade-blocked.ts'

const shards = (updated: number): RoleState => ({
  role: 'hot-tier',
  desired: 2,
  ready: 2,
  updated,
  exists: true,
})
const set = (status: Workload['status'] = { replicas: 2, observedGeneration: 1 }): Workload => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'demo-hot-tier', namespace: 'apps', uid: 'u', generation: 1 },
  spec: { replicas: 2, template: { spec: { containers: [{ image: 'truenow:1' }] } } },
  ...(status === undefined ? {} : { status }),
})
const pod: ShardPod = {
  name: 'demo-hot-tier-1',
  uid: 'u1',
  resourceVersion: '7',
  shard: 1,
  revision: 'a',
  outdated: true,
  ready: true,
  terminating: false,
  broken: false,
  domain: 'n',
  reported: true,
}
const waits = (more: Partial<Extract<RestartChoice, { kind: 'wait' }>>): RestartChoice => ({
  kind: 'wait',
  pod,
  predicate: 'no_move_touches_shard',
  message: 'A replica joins.',
  settling: false,
  ...more,
})
const unreachable: Outcome<ClusterFacts> = {
  facts: {},
  stopped: {
    step: 'declare-cluster',
    condition: 'OperandReachable',
    kind: 'wait',
    reason: 'ControlPlaneUnavailable',
    message: 'It did not answer.',
  },
}
const single = 'replicationFactor is 1, so nobody else could answer.'
const cases: ReadonlyArray<
  [what: string, outcome: Outcome<ClusterFacts>, old: number, expected: string, said: RegExp]
> = [
  ['all run the newest template', { facts: {} }, 0, 'False NothingWaits', /Every shard/],
  [
    'only a new operator would change something',
    { facts: { pendingRoles: ['query', 'gateway'] } },
    0,
    'True TemplateChangePending',
    /query, gateway.*upgradePolicy/,
  ],
  [
    'a predicate refuses',
    { facts: { restart: waits({}) } },
    1,
    'True no_move_touches_shard',
    /-1 waits: A rep/,
  ],
  [
    'an earlier restart is being finished',
    { facts: { restart: waits({ settling: true }) } },
    1,
    'False RestartInProgress',
    /-1 waits/,
  ],
  [
    'one replica only',
    { facts: { restart: waits({ predicate: 'every_slot_has_other_serving_replica', message: single }) } },
    2,
    'True SingleReplica',
    /replicationFactor is 1/,
  ],
  [
    'the others do not serve',
    { facts: { restart: waits({ predicate: 'every_slot_has_other_serving_replica' }) } },
    2,
    'True every_slot_has_other_serving_replica',
    /waits/,
  ],
  ['just deleted', { facts: { restart: { kind: 'restart', pod } } }, 1, 'False RestartInProgress', /-1 was/],
  ['paused', { facts: { paused: true } }, 1, 'True Paused', /spec.paused/],
  ['no control plane', unreachable, 1, 'True control_plane_answers', /did not answer/],
  ['just applied', { facts: {} }, 1, 'False RestartInProgress', /not seen/],
]
for (const [what, outcome, old, expected, said] of cases) {
  test(`upgradeBlocked: ${what}`, () => {
    const { status, reason, message } = upgradeBlocked(outcome, shards(2 - old), set())
    assert.equal(`${status} ${reason}`, expected)
    assert.match(message, said)
  })
}

test('upgradeBlocked: a status of an older spec, or no set, says nothing of a restart', () => {
  for (const workload of [set({ replicas: 2, observedGeneration: 0 }), set({}), undefined])
    assert.equal(upgradeBlocked({ facts: {} }, shards(1), workload).reason, 'NothingWaits')
})
