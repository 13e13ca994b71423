import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { viewOfCatalog } from '@truenow/chassis/catalog-view.ts'
import { CatalogSnapshotSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { copyPeers } from './copy-peers.ts'

const { JOINING, SERVING, LEAVING } = ReplicaState
const key = { namespace: 'production', name: 'events', uid: 'u', slot: 0 }

/** Shard n is at `s<n>:1` with incarnation 10 + n; `replicas` hold the slot. */
function viewOf(
  replicas: ReadonlyArray<readonly [shard: number, state: ReplicaState, incarnation?: number]>,
) {
  return viewOfCatalog(
    create(CatalogSnapshotSchema, {
      revision: 1n,
      catalogId: 'c',
      shards: [0, 1, 2, 3].map((shard) => ({
        shard,
        incarnation: BigInt(10 + shard),
        address: `s${shard}:1`,
      })),
      tables: [
        {
          topic: 't',
          uid: 'u',
          versionsJson: VERSIONS.map((version) => JSON.stringify(version)),
          slots: [
            {
              slot: 0,
              epoch: 7n,
              replicas: replicas.map(([shard, state, incarnation = 10 + shard]) => ({
                shard,
                state,
                incarnation: BigInt(incarnation),
              })),
            },
          ],
        },
      ],
    }),
  )
}

test('copyPeers: serving replicas of other shards, then leaving ones; never a joining one, nor of a lost volume', () => {
  const view = viewOf([
    [0, SERVING],
    [1, LEAVING],
    [2, SERVING],
    [3, JOINING],
  ])
  assert.deepEqual(copyPeers(view, key, 0).map(({ shard }) => shard), [2, 1]) // biome-ignore format: one line
  const [first] = copyPeers(view, key, 3)
  assert.ok(first !== undefined && first.shard !== 1)
  assert.deepEqual(first, { shard: first.shard, address: `s${first.shard}:1`, epoch: 7, incarnation: 10 + first.shard }) // biome-ignore format: one line
  assert.deepEqual(copyPeers(viewOf([[1, SERVING, 5]]), key, 0), [], 'that volume is another one by now')
})

test('copyPeers: nobody without a catalog, for another table of that name, or another slot', () => {
  const view = viewOf([[1, SERVING]])
  assert.equal(copyPeers(view, key, 0).length, 1)
  assert.deepEqual(copyPeers(undefined, key, 0), [])
  assert.deepEqual(copyPeers(view, { ...key, uid: 'made anew' }, 0), [])
  assert.deepEqual(copyPeers(view, { ...key, slot: 1 }, 0), [])
})
