import { ARENA_BYTES_MAX, Arena, PAGE_BYTES } from '@truenow/kernels/columns/arena.ts'

const INITIAL_PAGES = 16
/** Below this a wide chunk might find no room at all: no worker has less, but where a test says so. */
export const QUOTA_BYTES_MIN = 64 << 20

/**
 * The memory for rows of a worker: as many arenas as its quota needs, since one ends at 4 GiB. They are reserved as
 * address space and taken page by page.
 */
export function createArenas(quotaBytes: number): readonly Arena[] {
  const bytes = Math.max(QUOTA_BYTES_MIN, quotaBytes)
  const count = Math.ceil(bytes / ARENA_BYTES_MAX)
  const maximum = Math.floor(bytes / count / PAGE_BYTES)
  return Array.from({ length: count }, () => {
    const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true })
    return new Arena(memory, maximum * PAGE_BYTES)
  })
}
