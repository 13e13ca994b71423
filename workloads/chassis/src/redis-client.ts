import { Redis } from 'ioredis'
import type { CachePort } from './cache-port.ts'
import { certificateError } from './certificate-error.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { RedisConnector } from './redis-connector.ts'

const COMMAND_TIMEOUT_MS = 40
const ENTRY_BYTES_MAX = 1 << 20
/** After so many failures in a row nothing is asked for a while: a cache that hangs must not slow every query. */
const FAILURES_MAX = 3
const OPEN_MS = 2_000
/** How often the address is asked for: it is a file, and queries are many. */
const LOOK_EVERY_MS = 1_000

type Options = Readonly<{
  url: () => string
  /** The authority that issued the certificate of Redis, PEM: then the connection is over TLS, whatever the URL says. */
  ca?: () => string
  log: Log
  clock: Clock
}>

/**
 * The cache port over ioredis, none of whose defaults stay: they queue, repeat and hang. No method throws or takes longer
 * than 40 ms; a Redis that is away is a miss. `url` and `ca` are asked about once a second: another address, password or
 * authority is taken over as soon as a connection with it stands, and until then the old one is used.
 */
export function createRedisClient(options: Options): CachePort {
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
function followUrl({ url, ca, log, clock }: Options) {
  const now = (): Address => ({ url: url(), ca: ca?.() })
  const first = now()
  let used = { address: first, redis: open(first, log) }
  let coming: typeof used | undefined
  let lookedMs = clock.monotonicMs()
  const giveUp = () => {
    coming?.redis.disconnect()
    coming = undefined
  }
  const look = () => {
    const address = read(now) ?? used.address // It may be just being written.
    if (isSame(address, (coming ?? used).address)) return
    giveUp()
    if (isSame(address, used.address)) return
    const next = { address, redis: open(address, log) }
    coming = next
    next.redis.once('ready', () => {
      if (coming !== next) return
      used.redis.disconnect()
      used = next
      coming = undefined
      log.info({}, 'Redis is used by another address, password or authority from now on')
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

type Address = Readonly<{ url: string; ca: string | undefined }>
const isSame = (left: Address, right: Address): boolean => left.url === right.url && left.ca === right.ca

function open({ url, ca }: Address, log: Log): Redis {
  const redis = new Redis(url, {
    Connector: RedisConnector,
    protocol: 2,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 500,
    socketTimeout: 1_000,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
    ...(ca === undefined ? {} : { tls: { ca } }),
  })
  let told: string | undefined
  // Without a listener ioredis prints to standard error.
  redis.on('error', (err) => {
    const refusal = refusalOf(err)
    if (refusal === undefined || refusal === told) return log.debug({ err }, 'redis')
    told = refusal
    log.warn({}, refusal)
  })
  return redis
}

/** What is the user's to mend; undefined where it is a matter of time. */
function refusalOf(error: Error): string | undefined {
  if (certificateError(error) === 'theirs')
    return `The certificate of Redis is not believed: ${error.message}. spec.redis.caSecretRef must hold the authority that issued it, and the URL a name that it bears.`
  if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(error.message))
    return `Redis does not take the user name and password of spec.redis.urlSecretRef: ${error.message}. Correct the URL in that Secret; it is read again by itself.`
  return undefined
}

function read(address: () => Address): Address | undefined {
  try {
    return address()
  } catch {
    return undefined
  }
}
