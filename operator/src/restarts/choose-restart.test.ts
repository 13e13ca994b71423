import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import fc from 'fast-check'
import { chooseBroken, chooseRestart } from './choose-restart.ts'
import type { RestartState } from './restart-state.ts'
import { anyState, placed, shardPod } from './testing/any-state.ts'

const both = [
  { shard: 0, lag: 0 },
  { shard: 1, lag: 0 },
]
const state = (...pods: RestartState['pods'][number][]): RestartState => ({
  shards: 2,
  pods,
  placed: placed({ slots: [both] }),
})
const told = (at: RestartState) => {
  const choice = chooseRestart(at)
  return choice.kind === 'none' ? 'none' : `${choice.kind} ${choice.pod.shard}`
}

test('chooseRestart: the highest ordinal first, unready ones before it', () => {
  assert.equal(told(state(shardPod(0), shardPod(1))), 'restart 1')
  assert.equal(told(state(shardPod(0, { ready: false }), shardPod(1))), 'restart 0')
  assert.equal(told(state(shardPod(0), shardPod(1, { outdated: false }))), 'restart 0')
  assert.equal(told(state(shardPod(0, { outdated: false }), shardPod(1, { outdated: false }))), 'none')
})

test('chooseRestart: one that would hurt goes to the tail', () => {
  const slots = [both, [{ shard: 1, lag: 0 }]]
  assert.equal(told({ ...state(shardPod(0), shardPod(1)), placed: placed({ slots }) }), 'restart 0')
})

test('chooseRestart: waiting for an earlier restart is as it should be, unless that broke', () => {
  const after = (more: object) => chooseRestart(state(shardPod(0), shardPod(1, { outdated: false, ...more })))
  for (const more of [{ ready: false }, { terminating: true }, { reported: false }]) {
    const choice = after(more)
    assert.deepEqual(choice.kind === 'wait' && [choice.pod.shard, choice.settling], [0, true])
  }
  const broken = after({ ready: false, broken: true })
  assert.deepEqual(broken.kind === 'wait' && [broken.predicate, broken.settling], [
    'max_unavailable_reached',
    false,
  ])
})

test('chooseRestart: never the last serving replica of a slot, never a second shard beside one that is away', () => {
  let restarts = 0
  fc.assert(
    fc.property(anyState, (at) => {
      const choice = chooseRestart(at)
      if (choice.kind !== 'restart') return
      restarts += 1
      const { pod } = choice
      assert.ok(pod.outdated && !pod.terminating)
      const up = at.pods.filter(({ ready, terminating }) => ready && !terminating)
      if (pod.ready) assert.equal(up.length, at.shards)
      for (const { replicas } of at.placed?.slotsOf(pod.shard) ?? []) {
        const others = replicas.filter(
          ({ shard, state: is, said }) =>
            shard !== pod.shard &&
            is === ReplicaState.SERVING &&
            said !== undefined &&
            up.some((one) => one.shard === shard) &&
            !at.placed?.silentShards.includes(shard),
        )
        assert.ok(others.length > 0, 'the last one that answers would go')
      }
    }),
    { numRuns: 20_000 },
  )
  assert.ok(restarts > 200, `only ${restarts} states let a restart through`)
})

test('chooseRestart: whoever waits is told by the first predicate that refuses, and rests as it is', () => {
  fc.assert(
    fc.property(anyState, (at) => {
      const choice = chooseRestart(at)
      assert.deepEqual(chooseRestart(at), choice)
      assert.equal(choice.kind === 'none', !at.pods.some(({ outdated }) => outdated))
      if (choice.kind === 'wait') assert.notEqual(choice.message, '')
    }),
  )
})

test('chooseBroken: only where every pod of that template is broken, and never one of the newest', () => {
  const bad = { ready: false, broken: true }
  assert.equal(chooseBroken(state(shardPod(0, { revision: 'older' }), shardPod(1, bad)))?.shard, 1)
  assert.equal(chooseBroken(state(shardPod(0), shardPod(1, bad))), undefined)
  assert.equal(chooseBroken(state(shardPod(0, bad), shardPod(1, bad)))?.shard, 0)
  assert.equal(chooseBroken(state(shardPod(0), shardPod(1, { ...bad, outdated: false }))), undefined)
  assert.equal(chooseBroken(state(shardPod(1, { ...bad, terminating: true }))), undefined)
})
