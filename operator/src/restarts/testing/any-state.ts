import { create } from '@bufbuild/protobuf'
import { GetPlacementResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import fc from 'fast-check'
import { placedSlots } from '../placed-slots.ts'
import type { RestartState, ShardPod } from '../restart-state.ts'

/** A replica as catalog and shard have it; `lag` records behind the end, undefined: the shard says nothing of it. */
export type DrawnReplica = Readonly<{
  shard: number
  state?: ReplicaState
  lag?: number | undefined
  stalled?: boolean
}>
export type Drawn = Readonly<{
  slots: ReadonlyArray<readonly DrawnReplica[]>
  replicationFactor?: number
  silent?: readonly number[]
}>

const END = 1_000

/** A placement of one table as `placedSlots` has it. */
export function placed({ slots, replicationFactor = 2, silent = [] }: Drawn) {
  const shards = new Set(slots.flat().map(({ shard }) => shard))
  const table = { namespace: 'production', name: 'events' }
  return placedSlots(
    create(GetPlacementResponseSchema, {
      silentShards: [...silent],
      catalog: {
        replicationFactor,
        tables: [
          {
            versionsJson: [JSON.stringify(table)],
            slots: slots.map((replicas, slot) => ({
              slot,
              epoch: 3n,
              replicas: replicas.map(({ shard, state = ReplicaState.SERVING }) => ({ shard, state })),
            })),
          },
        ],
      },
      loads: [...shards].map((shard) => ({
        shard,
        slots: slots.flatMap((replicas, slot) =>
          replicas
            .filter((one) => one.shard === shard && one.lag !== undefined)
            .map(({ lag = 0, stalled }) => ({
              table,
              slot,
              epoch: 3n,
              cursor: { offset: BigInt(END - 1 - lag) },
              endOffset: BigInt(END),
              progressedAtUs: 1n,
              stalledReason: stalled === true ? 'MemoryFull' : '',
            })),
        ),
      })),
    }),
  )
}

export const shardPod = (shard: number, more: Partial<ShardPod> = {}): ShardPod => ({
  name: `demo-hot-tier-${shard}`,
  uid: `uid-${shard}`,
  resourceVersion: '7',
  shard,
  revision: more.outdated === false ? 'new' : 'old',
  outdated: true,
  ready: true,
  terminating: false,
  broken: false,
  domain: 'zone-a',
  reported: true,
  ...more,
})

const SHARDS = 4
const anyPod = (shard: number) =>
  fc
    .record({
      outdated: fc.boolean(),
      ready: fc.boolean(),
      terminating: fc.boolean(),
      broken: fc.boolean(),
      domain: fc.constantFrom('zone-a', 'zone-b'),
      reported: fc.boolean(),
    })
    .map((drawn) => shardPod(shard, { ...drawn, broken: drawn.broken && !drawn.ready }))
const anyReplica = (shard: number): fc.Arbitrary<DrawnReplica> =>
  fc.record({
    shard: fc.constant(shard),
    state: fc.constantFrom(
      ReplicaState.SERVING,
      ReplicaState.SERVING,
      ReplicaState.JOINING,
      ReplicaState.LEAVING,
    ),
    lag: fc.constantFrom(undefined, 0, 3, 500),
    stalled: fc.boolean(),
  })
const anySlot = fc
  .subarray([0, 1, 2, 3], { minLength: 1 })
  .chain((shards) => fc.tuple(...shards.map(anyReplica)))

/** Four shards in every condition that pods, catalog and reports can be in. */
export const anyState: fc.Arbitrary<RestartState> = fc.record({
  shards: fc.constant(SHARDS),
  pods: fc.subarray([0, 1, 2, 3], { minLength: 1 }).chain((present) => fc.tuple(...present.map(anyPod))),
  placed: fc.option(
    fc
      .record({
        slots: fc.array(anySlot, { maxLength: 4 }),
        silent: fc.subarray([0, 1, 2, 3]),
        replicationFactor: fc.constantFrom(1, 2),
      })
      .map(placed),
    { nil: undefined },
  ),
})
