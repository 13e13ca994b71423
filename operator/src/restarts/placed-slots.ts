import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { ReplicaState, SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'

/** One slot of one table as the catalog has it, with what each of its shards last said of it. */
export type PlacedSlot = Readonly<{
  /** `<namespace>.<table>/<slot>` */
  name: string
  epoch: bigint
  replicas: ReadonlyArray<Readonly<{ shard: number; state: ReplicaState; said: SlotState | undefined }>>
}>
/** A placement by shard. */
export type Placed = Readonly<{
  slotsOf: (shard: number) => readonly PlacedSlot[]
  /** Shards whose replicas may not answer, whatever the catalog calls them. */
  silentShards: readonly number[]
  replicationFactor: number
}>

/** Cost: O(slots × replicas + reports). Pure. */
export function placedSlots({ catalog, loads, silentShards }: GetPlacementResponse): Placed {
  const said = new Map<string, SlotState>(
    loads.flatMap(({ shard, slots }) =>
      slots.map((state) => {
        const { table, slot } = state
        return [`${shard} ${table?.namespace}.${table?.name}/${slot}`, state] as const
      }),
    ),
  )
  const byShard = new Map<number, PlacedSlot[]>()
  for (const { versionsJson, slots } of catalog?.tables ?? []) {
    const table = JSON.parse(versionsJson.at(-1) ?? '{}') as { namespace: string; name: string }
    for (const { slot, epoch, replicas } of slots) {
      const name = `${table.namespace}.${table.name}/${slot}`
      const placed = {
        name,
        epoch,
        replicas: replicas.map(({ shard, state }) => ({ shard, state, said: said.get(`${shard} ${name}`) })),
      }
      for (const { shard } of replicas) {
        const held = byShard.get(shard)
        if (held === undefined) byShard.set(shard, [placed])
        else held.push(placed)
      }
    }
  }
  const replicationFactor = catalog?.replicationFactor ?? 0
  return { slotsOf: (shard) => byShard.get(shard) ?? [], silentShards, replicationFactor }
}
