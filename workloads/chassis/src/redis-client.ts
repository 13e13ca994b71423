import { Redis } from 'ioredis'
import type { CachePort } from './cache-port.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'

const COMMAND_TIMEOUT_MS = 40
const ENTRY_BYTES_MAX = 1 << 20
/** After so many failures in a row nothing is asked for a while: a cache that hangs must not slow every query. */
const FAILURES_MAX = 3
const OPEN_MS = 2_000

/**
 * The cache port over ioredis, none of whose defaults stay: they queue, repeat and hang. No method throws or takes longer
 * than 40 ms; a Redis that is away is a miss.
 */
export function createRedisClient(options: Readonly<{ url: string; log: Log; clock: Clock }>): CachePort {
  const { log, clock } = options
  const redis = new Redis(options.url, {
    protocol: 2,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 500,
    socketTimeout: 1_000,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  })
  let failures = 0
  let openUntilMs = Number.NEGATIVE_INFINITY
  redis.on('error', (err) => log.debug({ err }, 'redis')) // Without a listener ioredis prints to standard error.
  const guarded = async <T>(work: () => Promise<T>, instead: T): Promise<T> => {
    if (redis.status !== 'ready' || clock.monotonicMs() < openUntilMs) return instead
    try {
      const answer = await work()
      failures = 0
      return answer
    } catch (err) {
      failures += 1
      if (failures >= FAILURES_MAX) {
        openUntilMs = clock.monotonicMs() + OPEN_MS
        failures = 0
        log.warn({ err, forMs: OPEN_MS }, 'the cache does not answer; working without it')
      }
      return instead
    }
  }
  return {
    get: (key) => guarded(async () => (await redis.getBuffer(key)) ?? undefined, undefined),
    set: async (key, value, ttlSeconds) => {
      if (value.length > ENTRY_BYTES_MAX) return
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      await guarded(
        async () => void (await redis.set(key, bytes, 'EX', Math.max(1, Math.ceil(ttlSeconds)))),
        undefined,
      )
    },
    reachable: () => guarded(async () => (await redis.ping()) === 'PONG', false),
    close: async () => redis.disconnect(),
  }
}
