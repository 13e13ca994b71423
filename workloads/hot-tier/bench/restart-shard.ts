import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TextPools } from '@truenow/kernels/columns/text-pool.ts'
import { type Arenas, createArenas } from '../src/create-arenas.ts'
import { SnapshotStore } from '../src/snapshot-store.ts'
import { definition as eventDefinition } from './event-blocks.ts'

/** Ids are remembered for as long as rows are held: every one of them is in the snapshots. */
export const definition = { ...eventDefinition, dedupWindowUs: eventDefinition.retentionUs }
const MEMORY_BYTES = 3 * 1024 ** 3

/** The snapshots of a shard that holds every slot of the table, in one arena, as a shard does. */
export function createStores(directory: string): readonly SnapshotStore[] {
  const [{ arena, idArena }] = createArenas(MEMORY_BYTES) as [Arenas]
  const memory = { arena, idArena, texts: new TextPools(arena) }
  return Array.from({ length: definition.slots }, (_, slot) => {
    const own = join(directory, String(slot))
    mkdirSync(own, { recursive: true })
    const identity = { catalogId: 'c', incarnation: 1, table: 'production.events', uid: 'u', slot }
    return new SnapshotStore(own, identity, undefined, { memory })
  })
}
