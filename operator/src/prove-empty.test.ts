import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GetPlacementResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { proveEmpty } from './prove-empty.ts'

const said = { shard: 2, incarnation: 5n, catalogRevision: 9n, processId: 'p', registeredProcessId: 'p' }
const placement = (
  load: object = {},
  catalog: object = {},
  openMoves: Array<{ from: number; to: number }> = [],
) =>
  create(GetPlacementResponseSchema, {
    catalog: { revision: 9n, shardCount: 2, shards: [{ shard: 2, incarnation: 5n }], ...catalog },
    loads: [{ ...said, ...load }],
    openMoves,
  })
/** Nobody says anything. */
const unsaid = { shard: 7 }
const holding = { tables: [{ slots: [{ replicas: [{ shard: 2, state: ReplicaState.LEAVING }] }] }] }

test('proveEmpty: the catalog places nothing on it and it says so itself, by the same revision', () => {
  assert.deepEqual(proveEmpty(placement(), 2), { kind: 'Proof' })
})

test('proveEmpty: a shard that the catalog does not know, and places nothing on', () => {
  assert.deepEqual(proveEmpty(placement(unsaid, { shards: [] }), 2), { kind: 'Proof' })
})

test('proveEmpty: a drained shard is one that may not be given replicas', () => {
  assert.deepEqual(proveEmpty(placement({}, { shardCount: 3, drainedShards: [2] }), 2), { kind: 'Proof' })
})

const unknown: ReadonlyArray<[what: string, given: ReturnType<typeof placement>, why: RegExp]> = [
  ['no placement', create(GetPlacementResponseSchema, {}), /not known/],
  ['it may be given replicas', placement({}, { shardCount: 3 }), /may still be given/],
  ['the catalog places a replica on it', placement({}, holding), /holds a replica/],
  ['nor where it is not registered', placement(unsaid, { ...holding, shards: [] }), /holds a replica/],
  ['it says nothing', placement(unsaid), /has not said/],
  ['it holds a copy', placement({ slots: [{ slot: 1 }] }), /still holds a copy/],
  ['it speaks of an older map', placement({ catalogRevision: 8n }), /revision 8.*at 9/],
  ['a process before this one said it', placement({ registeredProcessId: 'q' }), /another process/],
  ['an incarnation before this one said it', placement({ incarnation: 4n }), /another process or volume/],
  ['a move of it is open', placement({}, {}, [{ from: 2, to: 0 }]), /not over/],
]
for (const [what, given, why] of unknown) {
  test(`proveEmpty: unknown while ${what}`, () => {
    const emptiness = proveEmpty(given, 2)
    assert.ok(emptiness.kind === 'Unknown')
    assert.match(emptiness.why, why)
  })
}
