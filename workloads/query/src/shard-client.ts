import type {
  PartialQueryRequest,
  PartialQueryResponse,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'

type CallOptions = { signal?: AbortSignal; timeoutMs?: number }

/** What the query role asks of one shard; chassis' gRPC client of the Shard service fits. */
export type ShardClient = Readonly<{
  executePartial: (request: PartialQueryRequest, options?: CallOptions) => Promise<PartialQueryResponse>
  close: () => unknown
}>

/** Opens a client of the shard at `address` (host:port). It connects when first asked. */
export type ConnectShard = (address: string) => ShardClient

/** One client an address, kept until the catalog no longer names that address. */
export function createShardClients(connectShard: ConnectShard) {
  const clients = new Map<string, ShardClient>()
  return {
    at(address: string): ShardClient {
      const known = clients.get(address)
      if (known !== undefined) return known
      const client = connectShard(address)
      clients.set(address, client)
      return client
    },
    /** Closes the clients of every other address, so that shards that come and go leave nothing behind. */
    keepOnly(addresses: ReadonlySet<string>): void {
      for (const [address, client] of clients) {
        if (addresses.has(address)) continue
        clients.delete(address)
        client.close()
      }
    },
    close(): void {
      this.keepOnly(new Set())
    },
  }
}
export type ShardClients = ReturnType<typeof createShardClients>
