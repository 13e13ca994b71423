/**
 * All that TrueNow asks of Redis: four methods, none of which ever throws or waits longer than the stated time-out.
 * A cache that is away is a miss. Real: redis-client.ts; in memory: cache-in-memory.ts.
 */
export type CachePort = Readonly<{
  get: (key: string) => Promise<Buffer | undefined>
  /** Entries larger than the cache's limit are not stored. */
  set: (key: string, value: Uint8Array, ttlSeconds: number) => Promise<void>
  reachable: () => Promise<boolean>
  close: () => Promise<void>
}>
