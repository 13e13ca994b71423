import type { CatalogView } from '@truenow/chassis/catalog-view.ts'
import type { GetSlotsRequest, GetSlotsResponse } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type {
  GetProgressRequest,
  GetProgressResponse,
} from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import type { WatermarkMetrics } from './metrics.ts'
import type { Observations } from './observations.ts'

type CallOptions = { signal?: AbortSignal; timeoutMs?: number }
type Request<Message extends { $typeName: string }> = Omit<Message, '$typeName' | '$unknown'>
/** What this role asks of a shard and of an ingester; chassis' gRPC clients fit. */
export type ShardClient = Readonly<{
  getSlots: (request: Request<GetSlotsRequest>, options?: CallOptions) => Promise<GetSlotsResponse>
  close: () => unknown
}>
export type IngesterClient = Readonly<{
  getProgress: (request: Request<GetProgressRequest>, options?: CallOptions) => Promise<GetProgressResponse>
  close: () => unknown
}>
export type PollPorts = Readonly<{
  connectShard: (address: string) => ShardClient
  connectIngester: (address: string) => IngesterClient
  ingesterAddresses: Readonly<{ current: () => readonly string[] }>
}>
type Target = {
  address: string
  ask: () => Promise<void>
  close: () => unknown
  asking: Promise<void> | undefined
}
/** A peer may take this many periods to answer before the question counts as failed. */
const PERIODS_MAX = 4

/**
 * Asks every shard of the catalog and every ingester once a call of `tick`; one that has not answered yet is not asked
 * again, so a slow peer delays nobody and gathers no queue.
 */
export function createPeerPoll(
  ports: PollPorts,
  observations: Observations,
  metrics: WatermarkMetrics,
  periodMs: number,
) {
  const ended = new AbortController()
  const targets = new Map<string, Target>()
  const options = { signal: ended.signal, timeoutMs: periodMs * PERIODS_MAX }

  function shardTarget(ordinal: number, address: string): Target {
    const client = ports.connectShard(address)
    const ask = () =>
      client.getSlots({}, options).then(
        (response) => told('shard', () => observations.shardAnswered(ordinal, response)),
        (error) => failed('shard', () => observations.shardFailed(ordinal, asText(error))),
      )
    return { address, ask, close: () => client.close(), asking: undefined }
  }
  function ingesterTarget(address: string): Target {
    const client = ports.connectIngester(address)
    const ask = () =>
      client.getProgress({}, options).then(
        (response) => told('ingester', () => observations.ingesterAnswered(address, response)),
        (error) => failed('ingester', () => observations.ingesterFailed(address, asText(error))),
      )
    return { address, ask, close: () => client.close(), asking: undefined }
  }
  const told = (peer: string, note: () => void) => {
    metrics.polls.inc({ peer, outcome: 'answered' })
    note()
  }
  const failed = (peer: string, note: () => void) => {
    if (ended.signal.aborted) return
    metrics.polls.inc({ peer, outcome: 'failed' })
    note()
  }

  function follow(view: CatalogView): void {
    const wanted = new Map<string, readonly [address: string, open: () => Target]>()
    for (const { shard, address } of view.shards()) {
      wanted.set(`shard ${shard}`, [address, () => shardTarget(shard, address)])
    }
    const addresses = ports.ingesterAddresses.current()
    for (const address of addresses)
      wanted.set(`ingester ${address}`, [address, () => ingesterTarget(address)])
    for (const [name, target] of targets) {
      if (wanted.get(name)?.[0] === target.address) continue
      targets.delete(name)
      target.close()
    }
    for (const [name, [, open]] of wanted) if (!targets.has(name)) targets.set(name, open())
    observations.keepOnly(new Set(view.shards().map(({ shard }) => shard)), new Set(addresses))
  }

  return {
    tick(view: CatalogView): void {
      follow(view)
      for (const target of targets.values()) {
        target.asking ??= target.ask().finally(() => {
          target.asking = undefined
        })
      }
    },
    /** Waits until every question that is out has an answer or has failed. */
    settled: async (): Promise<void> =>
      void (await Promise.all([...targets.values()].map(({ asking }) => asking))),
    async close(): Promise<void> {
      ended.abort()
      await this.settled()
      for (const target of targets.values()) target.close()
      targets.clear()
    },
  }
}
export type PeerPoll = ReturnType<typeof createPeerPoll>

const asText = (error: unknown): string => (error instanceof Error ? error.message : String(error))
