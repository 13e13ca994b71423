import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'

/** The most bytes that any of these shards reports to hold of a slot in memory; 0 where none does. Pure. */
export function residentBytes(
  loads: GetPlacementResponse['loads'],
  shards: readonly number[],
  table: string,
  slot: number,
): number {
  const bytes = loads.flatMap((load) => {
    if (!shards.includes(load.shard)) return []
    const state = load.slots.find(
      (one) => one.slot === slot && `${one.table?.namespace}.${one.table?.name}` === table,
    )
    return state === undefined ? [] : [Number(state.residentBytes)]
  })
  return Math.max(0, ...bytes)
}
