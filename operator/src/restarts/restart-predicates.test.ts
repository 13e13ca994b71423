import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { RESTART_PREDICATES, type RestartPredicate } from './restart-predicates.ts'
import type { RestartState, ShardPod } from './restart-state.ts'
import { placed, shardPod } from './testing/any-state.ts'

const { JOINING, LEAVING } = ReplicaState
const both = [
  { shard: 0, lag: 0 },
  { shard: 1, lag: 0 },
]
const whole: RestartState = {
  shards: 2,
  pods: [shardPod(0, { outdated: false }), shardPod(1)],
  placed: placed({ slots: [both, both] }),
}
const slots = (...drawn: Parameters<typeof placed>[0]['slots']) => ({
  ...whole,
  placed: placed({ slots: drawn }),
})
const pods = (...drawn: ShardPod[]): RestartState => ({ ...whole, pods: drawn })

type Case = readonly [what: string, state: RestartState, said: RegExp | undefined, candidate?: ShardPod]
const CASES: Readonly<Record<RestartPredicate, readonly Case[]>> = {
  skip_terminating_pod: [
    ['a pod that stands', whole, undefined],
    ['a pod that goes', whole, /on its way out/, shardPod(1, { terminating: true })],
  ],
  max_unavailable_reached: [
    ['all are there', whole, undefined],
    ['another is not ready', pods(shardPod(0, { ready: false }), shardPod(1)), /demo-hot-tier-0/],
    ['another goes', pods(shardPod(0, { terminating: true }), shardPod(1)), /demo-hot-tier-0/],
    ['another is not even there', pods(shardPod(1)), /1 pods that are not there/],
    [
      'an unready one takes nothing away',
      pods(shardPod(0, { ready: false }), shardPod(1, { ready: false })),
      undefined,
      shardPod(1, { ready: false }),
    ],
  ],
  one_zone_at_a_time: [
    ['all are there', pods(shardPod(0, { domain: 'zone-b' }), shardPod(1)), undefined],
    [
      'one is away in another zone',
      pods(shardPod(0, { ready: false, domain: 'zone-b' }), shardPod(1)),
      /zone-b/,
    ],
    ['one is away in this zone', pods(shardPod(0, { ready: false }), shardPod(1)), undefined],
    ['one that has no node yet', pods(shardPod(0, { ready: false, domain: '' }), shardPod(1)), /none yet/],
    ['it is away itself', pods(shardPod(1, { ready: false })), undefined, shardPod(1, { ready: false })],
  ],
  control_plane_answers: [
    ['it told', whole, undefined],
    ['it did not', { ...whole, placed: undefined }, /has not told/],
  ],
  no_move_touches_shard: [
    ['every replica serves', whole, undefined],
    ['one joins', slots([...both, { shard: 2, state: JOINING }]), /production\.events\/0/],
    ['one leaves', slots([{ shard: 0 }, { shard: 1, state: LEAVING }]), /production\.events\/0/],
    ['of another shard’s slot', slots([{ shard: 0 }, { shard: 2, state: JOINING }]), undefined],
  ],
  restarted_shards_caught_up: [
    ['it has', whole, undefined],
    [
      'it has as far as a record more or less',
      slots([
        { shard: 0, lag: 16 },
        { shard: 1, lag: 0 },
      ]),
      undefined,
    ],
    [
      'it reads yet',
      slots([
        { shard: 0, lag: 17 },
        { shard: 1, lag: 0 },
      ]),
      /demo-hot-tier-0 has not/,
    ],
    ['it says nothing', slots([{ shard: 0 }, { shard: 1, lag: 0 }]), /demo-hot-tier-0/],
    [
      'it joins',
      slots([
        { shard: 0, lag: 0, state: JOINING },
        { shard: 1, lag: 0 },
      ]),
      /demo-hot-tier-0/,
    ],
    [
      'only what it said before its restart is known',
      pods(shardPod(0, { outdated: false, reported: false }), shardPod(1)),
      /demo-hot-tier-0/,
    ],
    [
      'one that was not restarted reads',
      {
        ...slots([
          { shard: 0, lag: 500 },
          { shard: 1, lag: 0 },
        ]),
        pods: [shardPod(0), shardPod(1)],
      },
      undefined,
    ],
    [
      'all stand still alike: a restart takes nothing away',
      slots([
        { shard: 0, lag: 500, stalled: true },
        { shard: 1, lag: 500, stalled: true },
      ]),
      undefined,
    ],
  ],
  every_slot_has_other_serving_replica: [
    ['the other serves', whole, undefined],
    ['no slot is on it', slots([{ shard: 0, lag: 0 }]), undefined],
    ['the other’s pod is not ready', pods(shardPod(0, { ready: false }), shardPod(1)), /Nobody else/],
    ['the other’s pod goes', pods(shardPod(0, { terminating: true }), shardPod(1)), /Nobody else/],
    ['the other has no pod', pods(shardPod(1)), /Nobody else/],
    ['the other is silent', { ...whole, placed: placed({ slots: [both], silent: [0] }) }, /Nobody else/],
    [
      'the other reads yet',
      slots([
        { shard: 0, lag: 40 },
        { shard: 1, lag: 0 },
      ]),
      /events\/0 while/,
    ],
    [
      'the other joins',
      slots([
        { shard: 0, lag: 0, state: JOINING },
        { shard: 1, lag: 0 },
      ]),
      /Nobody else/,
    ],
    ['five slots are named by three', slots(...Array(5).fill([{ shard: 1, lag: 0 }])), /and 2 more slots/],
    [
      'there is no other by design',
      { ...whole, placed: placed({ slots: [[{ shard: 1, lag: 0 }]], replicationFactor: 1 }) },
      /replicationFactor is 1.*Rebalance.*kubectl delete pod demo-hot-tier-1/,
    ],
  ],
}
for (const [name, cases] of Object.entries(CASES)) {
  for (const [what, state, said, candidate = shardPod(1)] of cases) {
    test(`${name}: ${what}`, () => {
      const message = RESTART_PREDICATES[name as RestartPredicate](candidate, state)
      if (said === undefined) assert.equal(message, undefined)
      else assert.match(message ?? '', said)
    })
  }
}

test('RESTART_PREDICATES: in the order in which they are looked at and told', () => {
  assert.deepEqual(Object.keys(RESTART_PREDICATES), Object.keys(CASES))
})
