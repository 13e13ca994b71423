import type { Clock } from '@truenow/chassis/clock.ts'
import type { GetSlotsResponse, SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { GetProgressResponse } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'

/** A replica as last told by its shard, and for how long what. All durations are of this role's own monotonic clock. */
export type ReplicaView = Readonly<{
  shard: number
  state: SlotState
  /** Since the shard last answered. */
  silentMs: number
  /** Since the cursor was last seen to move; since first seen if it never did. */
  cursorStillMs: number
  /** The cursor was seen to move at least once. */
  moved: boolean
  /** Since the stream last told the shard anything, be it a block or a heartbeat. */
  streamSilentMs: number
  /** Since the replica last had everything that the log held one poll before. */
  behindMs: number
  /** State hashes by offset, all of `state.originOffset`. */
  hashes: ReadonlyMap<bigint, string>
}>
/** What one ingester last told of one slot. */
export type IngesterView = Readonly<{
  address: string
  silentMs: number
  /** Undefined: it does not read this slot. */
  endOffset: bigint | undefined
  /** Since a fetch from Kafka last answered. */
  fetchSilentMs: number
}>
type Replica = {
  state: SlotState
  cursorMovedAtMs: number
  moved: boolean
  streamToldAtMs: number
  caughtUpAtMs: number
  hashes: Map<bigint, string>
}
type Shard = { answeredAtMs: number; failure: string; replicas: Map<string, Replica> }
type Ingester = {
  answeredAtMs: number
  failure: string
  slots: Map<string, { endOffset: bigint; fetchedAtUs: bigint; fetchMovedAtMs: number }>
}
/** Hashes kept a replica; shards keep as many. */
const HASHES_MAX = 64

/** `namespace/table/slot`, a slot's name in maps. */
export const slotKey = (namespace: string, table: string, slot: number): string =>
  `${namespace}/${table}/${slot}`

/**
 * The memory of what shards and ingesters told. Ages are taken between two tellings by this role's own clock, so that
 * a pod with a wrong clock is not mistaken for a stuck one.
 */
export function createObservations(clock: Clock) {
  const shards = new Map<number, Shard>()
  const ingesters = new Map<string, Ingester>()

  function shardAnswered(ordinal: number, response: GetSlotsResponse): void {
    const nowMs = clock.monotonicMs()
    const before = shards.get(ordinal)
    const replicas = new Map<string, Replica>()
    for (const state of response.slots) {
      const key = slotKey(state.table?.namespace ?? '', state.table?.name ?? '', state.slot)
      replicas.set(key, nextReplica(before?.replicas.get(key), state, nowMs))
    }
    shards.set(ordinal, { answeredAtMs: nowMs, failure: '', replicas })
  }

  function ingesterAnswered(address: string, response: GetProgressResponse): void {
    const nowMs = clock.monotonicMs()
    const before = ingesters.get(address)
    const slots: Ingester['slots'] = new Map()
    for (const { table, slot, endOffset, fetchedAtUs } of response.slots) {
      const key = slotKey(table?.namespace ?? '', table?.name ?? '', slot)
      const known = before?.slots.get(key)
      const same = known?.fetchedAtUs === fetchedAtUs
      slots.set(key, { endOffset, fetchedAtUs, fetchMovedAtMs: same ? known.fetchMovedAtMs : nowMs })
    }
    ingesters.set(address, { answeredAtMs: nowMs, failure: '', slots })
  }

  return {
    shardAnswered,
    ingesterAnswered,
    shardFailed(ordinal: number, failure: string): void {
      const shard = shards.get(ordinal)
      if (shard === undefined) shards.set(ordinal, { answeredAtMs: -Infinity, failure, replicas: new Map() })
      else shard.failure = failure
    },
    ingesterFailed(address: string, failure: string): void {
      const ingester = ingesters.get(address)
      if (ingester === undefined)
        ingesters.set(address, { answeredAtMs: -Infinity, failure, slots: new Map() })
      else ingester.failure = failure
    },
    /** Why the shard did not answer last time; empty when it did or was never asked. */
    shardFailure: (ordinal: number): string => shards.get(ordinal)?.failure ?? '',
    replica(ordinal: number, key: string): ReplicaView | undefined {
      const shard = shards.get(ordinal)
      const replica = shard?.replicas.get(key)
      if (shard === undefined || replica === undefined) return undefined
      const nowMs = clock.monotonicMs()
      return {
        shard: ordinal,
        state: replica.state,
        silentMs: nowMs - shard.answeredAtMs,
        cursorStillMs: nowMs - replica.cursorMovedAtMs,
        moved: replica.moved,
        streamSilentMs: nowMs - replica.streamToldAtMs,
        behindMs: nowMs - replica.caughtUpAtMs,
        hashes: replica.hashes,
      }
    },
    /** Every ingester known, with what it told of this slot if it reads it. */
    ingestersOf(key: string): readonly IngesterView[] {
      const nowMs = clock.monotonicMs()
      return [...ingesters].map(([address, { answeredAtMs, slots }]) => {
        const told = slots.get(key)
        const silentMs = nowMs - answeredAtMs
        if (told === undefined) return { address, silentMs, endOffset: undefined, fetchSilentMs: 0 }
        return { address, silentMs, fetchSilentMs: nowMs - told.fetchMovedAtMs, endOffset: told.endOffset }
      })
    },
    /** Forgets who is no longer there. */
    keepOnly(ordinals: ReadonlySet<number>, addresses: ReadonlySet<string>): void {
      for (const ordinal of shards.keys()) if (!ordinals.has(ordinal)) shards.delete(ordinal)
      for (const address of ingesters.keys()) if (!addresses.has(address)) ingesters.delete(address)
    },
  }
}
export type Observations = ReturnType<typeof createObservations>

function nextReplica(before: Replica | undefined, state: SlotState, nowMs: number): Replica {
  const cursor = state.cursor?.offset ?? -1n
  const same =
    before?.state.incarnation === state.incarnation && before.state.originOffset === state.originOffset
  const previous = same ? before : undefined
  const hashes = new Map(previous?.hashes)
  if (state.stateHash !== '') hashes.set(state.hashOffset, state.stateHash)
  for (const offset of [...hashes.keys()].slice(0, -HASHES_MAX)) hashes.delete(offset)
  const moved = previous !== undefined && previous.state.cursor?.offset !== cursor
  const told = previous === undefined || moved || previous.state.progressedAtUs !== state.progressedAtUs
  // Had it, now, all that the log held when it was last asked? Rows that came since then do not count as a lag.
  const caughtUp = cursor + 1n >= (previous?.state.endOffset ?? state.endOffset)
  return {
    state,
    cursorMovedAtMs: previous === undefined || moved ? nowMs : previous.cursorMovedAtMs,
    moved: moved || previous?.moved === true,
    streamToldAtMs: told ? nowMs : previous.streamToldAtMs,
    caughtUpAtMs: caughtUp || previous === undefined ? nowMs : previous.caughtUpAtMs,
    hashes,
  }
}
