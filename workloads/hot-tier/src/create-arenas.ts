import { ARENA_BYTES_MAX, Arena, PAGE_BYTES } from '@truenow/kernels/columns/arena.ts'

/** What an arena may take beyond its share of the budget, for queries and until buckets have left. */
const RESERVE_SHARE = 0.25
const INITIAL_PAGES = 16
/** Below this a wide chunk might find no room at all; the budget is kept by letting buckets go, not by this. */
const PAGES_MIN = 1_024

/**
 * The memory for rows of a shard: as many arenas as its budget needs, since one ends at 4 GiB. They are reserved as
 * address space and taken page by page.
 */
export function createArenas(residentBytesMax: number): readonly Arena[] {
  const bytes = residentBytesMax * (1 + RESERVE_SHARE)
  const count = Math.max(1, Math.ceil(bytes / ARENA_BYTES_MAX))
  const maximum = Math.max(
    PAGES_MIN,
    Math.min(ARENA_BYTES_MAX / PAGE_BYTES, Math.ceil(bytes / count / PAGE_BYTES)),
  )
  return Array.from({ length: count }, () => {
    const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true })
    return new Arena(memory, maximum * PAGE_BYTES)
  })
}
