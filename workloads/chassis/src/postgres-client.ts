import { TrueNowError } from '@truenow/contracts/errors.ts'
import pg from 'pg'
import { certificateError } from './certificate-error.ts'
import type { Log } from './log.ts'
import type { PostgresPort, Query } from './postgres-port.ts'

const CONNECTIONS_MAX = 10
const STATEMENT_TIMEOUT_MS = 8_000
const QUERY_TIMEOUT_MS = 10_000
const SERIALIZATION_TRIES_MAX = 5
const INT8 = 20
/** Two transactions met, or a deadlock was broken: the same work again succeeds. */
const RETRY_STATES = ['40001', '40P01']

/**
 * The PostgreSQL port over pg, with every time-out set (all are off by default). `url` is asked at every use, so a rotated
 * password is taken without a restart; while it cannot be read, the last one stays.
 */
export function createPostgresClient(options: Readonly<{ url: () => string; log: Log }>): PostgresPort {
  const { log } = options
  let pool: pg.Pool | undefined
  let openedWith = ''
  const current = (): pg.Pool => {
    const url = urlOf(options.url, pool === undefined ? undefined : openedWith)
    if (pool !== undefined && url === openedWith) return pool
    void pool?.end().catch((err: unknown) => log.warn({ err }, 'an old pool did not end'))
    openedWith = url
    pool = openPool(url, log)
    return pool
  }
  const queryOn =
    (on: () => pg.Pool | pg.PoolClient): Query =>
    async <Row extends Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) => {
      try {
        const result = await on().query(sql, parameters.length === 0 ? undefined : [...parameters])
        const last = Array.isArray(result) ? result.at(-1) : result // A script answers one result a command.
        return (last?.rows ?? []) as Row[]
      } catch (error) {
        throw asUnavailable(error)
      }
    }
  return {
    query: queryOn(current),
    transaction: (work) =>
      withClient(current, (client) =>
        serializable(
          client,
          queryOn(() => client),
          work,
        ),
      ),
    withLock: (name, work) =>
      withClient(current, async (client) => {
        // The lock waits for another migration, which may take longer than a statement may.
        await client.query("SET lock_timeout = '60s'; SET statement_timeout = '60s'")
        await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [name])
        try {
          return await work()
        } finally {
          await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name])
          await client.query('RESET lock_timeout; RESET statement_timeout')
        }
      }),
    reachable: async () => {
      try {
        await current().query('SELECT 1')
        return true
      } catch {
        return false
      }
    },
    close: async () => {
      await pool?.end()
    },
  }
}

function urlOf(url: () => string, last: string | undefined): string {
  try {
    return url()
  } catch (error) {
    if (last === undefined) throw error
    return last
  }
}

function openPool(connectionString: string, log: Log): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: 3_000,
    query_timeout: QUERY_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: 5_000,
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    types: {
      // Ours are counters and times below 2^53; a larger one would be a bug, and must not be rounded.
      getTypeParser: ((oid: number, format?: 'text') =>
        oid === INT8 ? parseInt8 : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  })
  pool.on('error', (err) => log.warn({ err }, 'an idle connection to PostgreSQL was lost'))
  pool.on('connect', (client) =>
    client.on('error', (err) => log.debug({ err }, 'a connection to PostgreSQL failed')),
  )
  return pool
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 ${text} is not below 2^53`)
  return value
}

async function withClient<T>(pool: () => pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  let client: pg.PoolClient
  try {
    client = await pool().connect()
  } catch (error) {
    throw asUnavailable(error)
  }
  let broken: Error | undefined
  try {
    return await work(client)
  } catch (error) {
    if (!(error instanceof TrueNowError) || error.code === 'TN_POSTGRES_UNAVAILABLE') broken = error as Error
    throw error
  } finally {
    client.release(broken !== undefined) // A connection of unknown state is not used again.
  }
}

async function serializable<T>(
  client: pg.PoolClient,
  query: Query,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    await query('BEGIN ISOLATION LEVEL SERIALIZABLE')
    try {
      const answer = await work(query)
      await query('COMMIT')
      return answer
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {}) // The connection may be gone; it is thrown away then.
      const state = stateOf(error)
      if (!RETRY_STATES.includes(state ?? '') || tries === SERIALIZATION_TRIES_MAX) throw error
    }
  }
}

const stateOf = (error: unknown): string | undefined =>
  (error as { code?: string }).code?.length === 5
    ? (error as { code: string }).code
    : (error as { cause?: { code?: string } }).cause?.code

/** Connection failures, a password that is being rotated and time-outs are TN_POSTGRES_UNAVAILABLE; what the server refused keeps its SQLSTATE as cause. */
function asUnavailable(cause: unknown): unknown {
  if (cause instanceof TrueNowError) return cause
  const state = (cause as { code?: string }).code ?? ''
  const refused = /^[0-9A-Z]{5}$/.test(state) && !/^(08|28|57|53|25P03)/.test(state)
  if (refused) return cause
  const message = `PostgreSQL did not answer: ${(cause as Error).message}${remedyFor(cause, state)}`
  return new TrueNowError('TN_POSTGRES_UNAVAILABLE', message, { cause })
}

/** Where it is ours to mend, and not a matter of time. */
function remedyFor(cause: unknown, state: string): string {
  if (certificateError(cause) === 'theirs')
    return '; spec.postgres.caSecretRef must hold the authority that issued its certificate, and the URL a name that it bears'
  if (state.startsWith('28')) return '; correct the URL in the Secret of spec.postgres.urlSecretRef, it is read again by itself' // biome-ignore format: one line
  return ''
}
