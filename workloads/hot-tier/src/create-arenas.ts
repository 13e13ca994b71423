import { ARENA_BYTES_MAX, Arena, PAGE_BYTES } from '@truenow/kernels/columns/arena.ts'

const INITIAL_PAGES = 16
/** Below this a wide chunk might find no room at all: no worker has less, but where a test says so. */
export const QUOTA_BYTES_MIN = 64 << 20

/** For rows and texts, and for what their slots remember of ids. */
export type Arenas = Readonly<{ arena: Arena; idArena: Arena }>

/**
 * The memory of a worker: as many arenas as its quota needs, since one ends at 4 GiB, and one for ids beside each. They are
 * reserved as address space and taken page by page.
 */
export function createArenas(quotaBytes: number): readonly Arenas[] {
  const bytes = Math.max(QUOTA_BYTES_MIN, quotaBytes)
  const count = Math.ceil(bytes / ARENA_BYTES_MAX)
  const maximum = Math.floor(bytes / count / PAGE_BYTES)
  const create = () =>
    new Arena(new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true }), maximum * PAGE_BYTES)
  return Array.from({ length: count }, () => ({ arena: create(), idArena: create() }))
}
