import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type PartialQueryRequest,
  type PartialQueryResponse,
  PartialQueryResponseSchema,
  type SlotRequest,
  SlotStatus,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ShardClient } from '../src/shard-client.ts'
import { bruteForcePartial, type SlotRows } from './brute-force-partial.ts'

/** One replica as the fake holds it; a test changes it at will. */
export type FakeReplica = {
  rows: SlotRows['rows']
  epoch: bigint
  incarnation: bigint
  shards: number[]
  offset: number
  watermarkUs: number
  retainedFromUs: number
  status?: SlotStatus
}
export type FakeShard = ReturnType<typeof createFakeShard>

/**
 * A shard in memory that keeps the rules of the Shard service (epochs, incarnations, at_least) and misbehaves on demand.
 * `fault` runs before each request: it may throw, or return a promise that never settles (a paused process).
 */
export function createFakeShard(ordinal: number, definition: TableDefinition) {
  const replicas = new Map<number, FakeReplica>()
  const shard = {
    replicas,
    requests: [] as PartialQueryRequest[],
    aborted: 0,
    fault: (() => undefined) as (request: PartialQueryRequest) => unknown,
    /** Changes a response before it leaves. */
    lie: ((response) => response) as (response: PartialQueryResponse) => PartialQueryResponse,
    client: (): ShardClient => ({ executePartial, close: () => {} }),
  }

  async function executePartial(
    request: PartialQueryRequest,
    { signal, timeoutMs }: { signal?: AbortSignal; timeoutMs?: number } = {},
  ): Promise<PartialQueryResponse> {
    shard.requests.push(request)
    const stopped = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => stopped.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'DEADLINE_EXCEEDED')),
      timeoutMs ?? 10_000,
    )
    const abort = () => {
      shard.aborted++
      stopped.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'CANCELLED'))
    }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      signal?.throwIfAborted()
      await Promise.race([shard.fault(request), stopped.promise])
      return shard.lie(respond(request))
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      stopped.promise.catch(() => {})
    }
  }

  function respond({ plan, slots }: PartialQueryRequest): PartialQueryResponse {
    if (plan === undefined) throw new TrueNowError('TN_REQUEST_INVALID', 'a request without a plan')
    const judged = slots.map((asked) => ({ asked, replica: replicas.get(asked.slot), status: judge(asked) }))
    const held = judged.flatMap(({ asked, replica, status }) =>
      status === SlotStatus.OK && replica !== undefined ? [{ slot: asked.slot, rows: replica.rows }] : [],
    )
    return create(PartialQueryResponseSchema, {
      ...bruteForcePartial(plan, held, definition),
      slots: judged.map(({ asked: { slot }, replica, status }) => ({
        slot,
        status,
        ...(replica === undefined
          ? {}
          : {
              cursor: { offset: BigInt(replica.offset), checksum: 7 },
              epoch: replica.epoch,
              incarnation: replica.incarnation,
              shards: replica.shards,
              watermarkUs: BigInt(replica.watermarkUs),
              retainedFromUs: BigInt(replica.retainedFromUs),
            }),
      })),
    })
  }

  function judge({ slot, epoch, incarnation, shards, atLeastOffset }: SlotRequest): SlotStatus {
    const replica = replicas.get(slot)
    if (replica === undefined) return SlotStatus.NOT_SERVING
    if (epoch < replica.epoch || incarnation < replica.incarnation) return SlotStatus.STALE_EPOCH
    if (epoch > replica.epoch) {
      if (!shards.includes(ordinal)) return SlotStatus.NOT_SERVING
      Object.assign(replica, { epoch, shards })
    }
    if (replica.status !== undefined) return replica.status
    return replica.offset < atLeastOffset ? SlotStatus.BEHIND : SlotStatus.OK
  }
  return shard
}
