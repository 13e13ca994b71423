import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GetSlotsResponseSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { findMismatch } from './find-mismatch.ts'
import { createObservations, type ReplicaView } from './observations.ts'

type Told = {
  offset?: number
  end?: number
  progressed?: number
  hash?: string
  hashOffset?: number
  origin?: number
  incarnation?: number
}
const slots = (told: Told) =>
  create(GetSlotsResponseSchema, {
    slots: [
      {
        table: { namespace: 'production', name: 'events' },
        slot: 0,
        incarnation: BigInt(told.incarnation ?? 1),
        cursor: { offset: BigInt(told.offset ?? 0), checksum: 0 },
        endOffset: BigInt(told.end ?? 1),
        progressedAtUs: BigInt(told.progressed ?? 0),
        stateHash: told.hash ?? '',
        hashOffset: BigInt(told.hashOffset ?? 0),
        originOffset: BigInt(told.origin ?? 0),
      },
    ],
  })
const key = 'production/events/0'

function scene() {
  let nowMs = 0
  const observations = createObservations({ nowUs: () => 0, monotonicMs: () => nowMs })
  return {
    observations,
    /** One poll a second. */
    tell: (told: Told, shard = 0): ReplicaView => {
      nowMs += 1_000
      observations.shardAnswered(shard, slots(told))
      return observations.replica(shard, key) as ReplicaView
    },
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

test('observations: an idle replica: still, but its stream speaks', () => {
  const { tell } = scene()
  tell({ progressed: 1 })
  const view = tell({ progressed: 2 })
  assert.deepEqual([view.moved, view.cursorStillMs, view.streamSilentMs, view.behindMs], [false, 1_000, 0, 0])
})

test('observations: a stuck replica: its stream says nothing, however wrong its clock', () => {
  const { tell } = scene()
  tell({ progressed: 7_200_000_000 })
  const view = tell({ progressed: 7_200_000_000 })
  assert.equal(view.streamSilentMs, 1_000)
})

test('observations: a replica that has what the log held one poll before is not behind', () => {
  const { tell } = scene()
  tell({ offset: 9, end: 20 })
  tell({ offset: 19, end: 40 })
  assert.equal(tell({ offset: 39, end: 60 }).behindMs, 0)
  assert.equal(tell({ offset: 45, end: 80 }).behindMs, 1_000)
})

test('observations: silence is counted from the last answer', () => {
  const { tell, pass, observations } = scene()
  tell({})
  observations.shardFailed(0, 'refused')
  pass(4_000)
  assert.equal(observations.replica(0, key)?.silentMs, 4_000)
  assert.equal(observations.shardFailure(0), 'refused')
})

test('observations: hashes of one offset are compared even when they are told at different times', () => {
  const { tell, observations } = scene()
  tell({ hash: 'aa', hashOffset: 256 }, 0)
  tell({ hash: 'bb', hashOffset: 512 }, 0)
  tell({ hash: 'ax', hashOffset: 256 }, 1)
  const views = [0, 1].map((shard) => observations.replica(shard, key) as ReplicaView)
  assert.match(findMismatch(views), /shards 0 and 1 differ at offset 256/)
})

const equal: ReadonlyArray<[name: string, left: Told, right: Told]> = [
  ['equal hashes', { hash: 'aa', hashOffset: 256 }, { hash: 'aa', hashOffset: 256 }],
  ['no common offset', { hash: 'aa', hashOffset: 256 }, { hash: 'bb', hashOffset: 512 }],
  ['another origin', { hash: 'aa', hashOffset: 256 }, { hash: 'bb', hashOffset: 256, origin: 5 }],
  ['no hash yet', { hash: 'aa', hashOffset: 256 }, {}],
]
for (const [name, left, right] of equal) {
  test(`findMismatch: none with ${name}`, () => {
    const { tell } = scene()
    assert.equal(findMismatch([tell(left, 0), tell(right, 1)]), '')
  })
}

test('observations: a new incarnation starts with a clean record', () => {
  const { tell } = scene()
  tell({ hash: 'aa', hashOffset: 256 })
  assert.equal(tell({ incarnation: 2 }).hashes.size, 0)
})

test('observations: no more hashes are kept than the shard keeps', () => {
  const { tell } = scene()
  let view: ReplicaView | undefined
  for (let at = 0; at < 100; at++) view = tell({ hash: 'aa', hashOffset: at * 256 })
  assert.equal(view?.hashes.size, 64)
})
