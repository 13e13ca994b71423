import type { CachePort } from './cache-port.ts'
import type { Clock } from './clock.ts'

const ENTRIES_MAX = 1_000
const ENTRY_BYTES_MAX = 1 << 20

/** The cache of dev mode and of fast tests: the oldest entry goes when it is full. */
export function createCacheInMemory(options: Readonly<{ clock: Clock }>): CachePort {
  const entries = new Map<string, Readonly<{ value: Buffer; expiresAtMs: number }>>()
  const nowMs = () => options.clock.monotonicMs()
  return {
    get: async (key) => {
      const entry = entries.get(key)
      if (entry !== undefined && entry.expiresAtMs > nowMs()) return entry.value
      entries.delete(key)
      return undefined
    },
    set: async (key, value, ttlSeconds) => {
      if (value.length > ENTRY_BYTES_MAX) return
      entries.delete(key)
      entries.set(key, { value: Buffer.from(value), expiresAtMs: nowMs() + ttlSeconds * 1_000 })
      for (const oldest of entries.keys()) {
        if (entries.size <= ENTRIES_MAX) break
        entries.delete(oldest)
      }
    },
    reachable: async () => true,
    close: async () => entries.clear(),
  }
}
