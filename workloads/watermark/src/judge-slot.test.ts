import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  ReplicaState,
  type SlotState,
  SlotStateSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { type AssignedReplica, judgeSlot } from './judge-slot.ts'
import type { ReplicaView } from './observations.ts'

const patience = { unknownMs: 3_000, laggingMs: 2_000, stalledMs: 10_000, activeMs: 5_000 }
const replica = (
  shard: number,
  state: Partial<Omit<SlotState, '$typeName' | 'cursor'>> & { cursor?: { offset: bigint } } = {},
  view: Partial<ReplicaView> = {},
): AssignedReplica => ({
  shard,
  incarnation: 1,
  state: ReplicaState.SERVING,
  failure: '',
  view: {
    shard,
    state: create(SlotStateSchema, {
      incarnation: 1n,
      state: ReplicaState.SERVING,
      watermarkUs: 100n,
      cursor: { offset: 9n },
      endOffset: 10n,
      ...state,
    }),
    silentMs: 0,
    cursorStillMs: 0,
    moved: true,
    streamSilentMs: 0,
    behindMs: 0,
    hashes: new Map(),
    ...view,
  },
})
const judge = (...replicas: AssignedReplica[]) => judgeSlot(0, replicas, [], patience)

test('judgeSlot: the replica that is furthest tells the watermark', () => {
  const found = judge(replica(0), replica(1, { watermarkUs: 200n, cursor: { offset: 12n } }))
  assert.deepEqual([found.watermarkUs, found.cursorOffset, found.servingReplicas], [200, 12, 2])
})

test('judgeSlot: as healthy as its best replica, and the worse one is named', () => {
  const found = judge(replica(0, {}, { silentMs: 9_000 }), replica(1))
  assert.equal(found.health, 'ACTIVE')
  assert.match(found.culprit, /shard 0 has not answered/)
  assert.equal(found.servingReplicas, 1)
})

test('judgeSlot: nobody answered: unknown is said, not guessed', () => {
  const found = judge(replica(0, {}, { silentMs: 9_000 }))
  assert.deepEqual([found.health, found.watermarkUs], ['UNKNOWN', undefined])
})

test('judgeSlot: joining replicas do not serve', () => {
  const found = judge({ ...replica(0), state: ReplicaState.JOINING })
  assert.deepEqual([found.health, found.watermarkUs], ['UNKNOWN', undefined])
  assert.match(found.culprit, /no serving replica \(1 joining/)
})

const strangers: ReadonlyArray<[name: string, replica: AssignedReplica, culprit: RegExp]> = [
  ['of another incarnation', replica(0, { incarnation: 2n }), /another incarnation/],
  ['that holds it as joining', replica(0, { state: ReplicaState.JOINING }), /not as serving/],
  ['that never answered', { ...replica(0), view: undefined, failure: 'refused' }, /does not answer: refused/],
]
for (const [name, stranger, culprit] of strangers) {
  test(`judgeSlot: a shard ${name} is not believed`, () => {
    const found = judge(stranger)
    assert.deepEqual([found.health, found.watermarkUs, found.servingReplicas], ['UNKNOWN', undefined, 0])
    assert.match(found.culprit, culprit)
  })
}

test('judgeSlot: counters that do not add up are told', () => {
  assert.equal(
    judge(replica(0, { logRows: 5n, appliedRows: 3n, deduplicatedRows: 1n, expiredRows: 1n })).unbalanced,
    '',
  )
  assert.match(
    judge(replica(0, { logRows: 5n, appliedRows: 3n })).unbalanced,
    /shard 0: log 5 is not applied 3/,
  )
})
