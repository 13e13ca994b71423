import { Redis } from 'ioredis'
import type { CachePort } from './cache-port.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'

const COMMAND_TIMEOUT_MS = 40
const ENTRY_BYTES_MAX = 1 << 20
/** After so many failures in a row nothing is asked for a while: a cache that hangs must not slow every query. */
const FAILURES_MAX = 3
const OPEN_MS = 2_000
/** How often the address is asked for: it is a file, and queries are many. */
const LOOK_EVERY_MS = 1_000

/**
 * The cache port over ioredis, none of whose defaults stay: they queue, repeat and hang. No method throws or takes longer
 * than 40 ms; a Redis that is away is a miss. `url` is asked about once a second: another address or password is taken over
 * as soon as a connection with it stands, and until then the old one is used.
 */
export function createRedisClient(
  options: Readonly<{ url: () => string; log: Log; clock: Clock }>,
): CachePort {
  const { log, clock } = options
  const connection = followUrl(options)
  let failures = 0
  let openUntilMs = Number.NEGATIVE_INFINITY
  const guarded = async <T>(work: (redis: Redis) => Promise<T>, instead: T): Promise<T> => {
    const redis = connection.current()
    if (redis.status !== 'ready' || clock.monotonicMs() < openUntilMs) return instead
    try {
      const answer = await work(redis)
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
    get: (key) => guarded(async (redis) => (await redis.getBuffer(key)) ?? undefined, undefined),
    set: async (key, value, ttlSeconds) => {
      if (value.length > ENTRY_BYTES_MAX) return
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      await guarded(
        async (redis) => void (await redis.set(key, bytes, 'EX', Math.max(1, Math.ceil(ttlSeconds)))),
        undefined,
      )
    },
    reachable: () => guarded(async (redis) => (await redis.ping()) === 'PONG', false),
    close: async () => connection.close(),
  }
}

/** One connection, and a second one for as long as an address that changed has not proved itself. */
function followUrl({ url, log, clock }: Parameters<typeof createRedisClient>[0]) {
  const first = url()
  let used = { url: first, redis: open(first, log) }
  let coming: typeof used | undefined
  let lookedMs = clock.monotonicMs()
  const giveUp = () => {
    coming?.redis.disconnect()
    coming = undefined
  }
  const look = () => {
    const now = read(url) ?? used.url // It may be just being written.
    if (now === (coming ?? used).url) return
    giveUp()
    if (now === used.url) return
    const next = { url: now, redis: open(now, log) }
    coming = next
    next.redis.once('ready', () => {
      if (coming !== next) return
      used.redis.disconnect()
      used = next
      coming = undefined
      log.info({}, 'Redis is used by another address or password from now on')
    })
  }
  return {
    current: () => {
      if (clock.monotonicMs() - lookedMs >= LOOK_EVERY_MS) {
        lookedMs = clock.monotonicMs()
        look()
      }
      return used.redis
    },
    close: () => {
      giveUp()
      used.redis.disconnect()
    },
  }
}

function open(url: string, log: Log): Redis {
  const redis = new Redis(url, {
    protocol: 2,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 500,
    socketTimeout: 1_000,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  })
  redis.on('error', (err) => log.debug({ err }, 'redis')) // Without a listener ioredis prints to standard error.
  return redis
}

function read(url: () => string): string | undefined {
  try {
    return url()
  } catch {
    return undefined
  }
}
