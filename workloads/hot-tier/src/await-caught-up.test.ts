import assert from 'node:assert/strict'
import { test } from 'node:test'
import { indexCatalog } from '@truenow/chassis/catalog-view.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import fc from 'fast-check'
import { awaitCaughtUp } from './await-caught-up.ts'
import type { SlotStates } from './shard-worker.ts'

const catalogAt = (revision: number) => ({
  current: () => indexCatalog({ revision, catalogId: 'c', replicationFactor: 2, shards: [], tables: [] }),
})
const never = new AbortController().signal
const PATIENCE_MS = 2_000

type Slot = SlotStates['slots'][number]
const slotAt = (
  slot: number,
  offset: number,
  endOffset: number,
  more: Pick<Slot, 'state' | 'stalledReason'> = {},
): Slot => ({
  table: { namespace: 'n', name: 't' },
  slot,
  state: ReplicaState.SERVING,
  cursor: { offset: BigInt(offset) },
  endOffset: BigInt(endOffset),
  ...more,
})

/** A shard that answers one look after the other, and then the last for ever. */
function shardSaying(...looks: ReadonlyArray<Readonly<{ revision?: number; slots: readonly Slot[] }>>) {
  const asked = { times: 0 }
  const states = async (): Promise<SlotStates> => {
    const { revision = 1, slots } = looks[Math.min(asked.times, looks.length - 1)] as (typeof looks)[number]
    asked.times += 1
    return { catalogRevision: revision, slots, residentBytes: 0 }
  }
  return { states, asked }
}

test('awaitCaughtUp: waits for the last slot to come to where its log ended at first sight, however the log goes on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ behind: fc.integer({ min: 0, max: 50 }), grows: fc.nat(20) }), { maxLength: 5 }),
      async (slots) => {
        // The first look sees the goals; the third has all of them read, and the log twice `grows` longer.
        const look = (nth: number) => ({
          slots: slots.map(({ behind, grows }, slot) =>
            slotAt(slot, nth < 2 ? 99 - behind : 99, 100 + nth * grows),
          ),
        })
        const shard = shardSaying(look(0), look(1), look(2))
        assert.equal(
          await awaitCaughtUp(shard, catalogAt(1), { patienceMs: PATIENCE_MS, signal: never }),
          true,
        )
        assert.equal(shard.asked.times, slots.some(({ behind }) => behind > 0) ? 3 : 1)
      },
    ),
    { numRuns: 30 },
  )
})

test('awaitCaughtUp: waits for the assignments of the catalog, and for a log to say where it ends', async () => {
  const shard = shardSaying({ revision: 0, slots: [] }, { slots: [slotAt(0, -1, -1)] }, { slots: [slotAt(0, -1, 0)] }) // biome-ignore format: one line
  assert.equal(await awaitCaughtUp(shard, catalogAt(1), { patienceMs: PATIENCE_MS, signal: never }), true)
  assert.equal(shard.asked.times, 3)
})

test('awaitCaughtUp: what joins, leaves or stalls holds nobody up', async () => {
  const slots = [
    slotAt(0, 3, 100, { state: ReplicaState.JOINING }),
    slotAt(1, 3, 100, { stalledReason: 'TN_LOG_REWRITTEN' }),
  ]
  assert.equal(
    await awaitCaughtUp(shardSaying({ slots }), catalogAt(1), { patienceMs: PATIENCE_MS, signal: never }),
    true,
  )
})

test('awaitCaughtUp: ends without, when its patience does or nobody waits any more', async () => {
  const behind = shardSaying({ slots: [slotAt(0, 3, 100)] })
  assert.equal(await awaitCaughtUp(behind, catalogAt(1), { patienceMs: 60, signal: never }), false)
  const ended = AbortSignal.abort()
  assert.equal(await awaitCaughtUp(behind, catalogAt(1), { patienceMs: PATIENCE_MS, signal: ended }), false)
  const unknown = { current: () => undefined }
  assert.equal(await awaitCaughtUp(behind, unknown, { patienceMs: 60, signal: never }), false)
})
