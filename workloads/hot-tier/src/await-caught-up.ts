import { setTimeout as delay } from 'node:timers/promises'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { SlotStates } from './shard-worker.ts'

const LOOK_MS_MIN = 50
/** Asking for the states of thousands of slots is work, and a shard that starts has other work to do. */
const LOOK_MS_MAX = 1_000

/**
 * Resolves once every replica that the catalog has this shard serve has read all that its log held when it was first seen
 * here, or has stalled for a reason that it tells; with `true`. With `false` once `patienceMs` are over or `signal` aborts.
 * A log that is written to meanwhile does not move the goal away. Cost: the states of all slots a look, at growing distances.
 */
export async function awaitCaughtUp(
  shard: Readonly<{ states: () => Promise<SlotStates> }>,
  catalog: Pick<CatalogClient, 'current'>,
  { patienceMs, signal }: Readonly<{ patienceMs: number; signal: AbortSignal }>,
): Promise<boolean> {
  const goals = new Map<string, bigint>()
  const until = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
  for (let lookMs = LOOK_MS_MIN; !until.aborted; lookMs = Math.min(2 * lookMs, LOOK_MS_MAX)) {
    const known = catalog.current()
    const states = known === undefined ? undefined : await shard.states()
    if (known !== undefined && states !== undefined && states.catalogRevision >= known.revision) {
      // Each is looked at, also behind one that has not: its goal is where its log ends now.
      const behind = states.slots.filter((slot) => !hasRead(slot, goals))
      if (behind.length === 0) return true
    }
    await delay(lookMs, undefined, { signal: until }).catch(() => {})
  }
  return false
}

function hasRead(state: SlotStates['slots'][number], goals: Map<string, bigint>): boolean {
  if (state.state !== ReplicaState.SERVING || (state.stalledReason ?? '') !== '') return true
  const { table, slot, cursor, endOffset = -1n } = state
  if (endOffset < 0n) return false // The log has not said yet where it ends.
  const name = `${table?.namespace}.${table?.name}/${slot}`
  const goal = goals.get(name) ?? endOffset
  goals.set(name, goal)
  return (cursor?.offset ?? -1n) + 1n >= goal
}
