import type { PostgresPort, Query } from '@truenow/chassis/postgres-port.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { quoteSchema } from './migrate.ts'

/** The one row of `catalog`: counters that only rise, and who owns the cluster. `work` of a change may set its fields. */
export type CatalogRow = {
  readonly catalog_id: string
  revision: number
  epoch_last: number
  incarnation_last: number
  /** Null: no cluster object holds this catalog (never put, or deleted with Retain). */
  cluster_uid: string | null
  cluster_generation: number
  shards: number
  replication_factor: number
  topic_replication_factor: number
  topic_min_insync_replicas: number
  /** Ordinals as drained-shards.ts writes them. */
  drained_shards: string | null
}

export type Change = Readonly<{
  query: Query
  catalog: CatalogRow
  /** Makes this change a new revision that every watcher sees. */
  touch: () => void
  /** An epoch greater than every one given out before, in this catalog and on any volume that was seen. */
  nextEpoch: () => number
  nextIncarnation: () => number
  /** Who did what to what; kept in `audit`. */
  audit: (action: string, subject: string, detail: string) => void
}>

/** SQL against one cluster's schema; `$schema` in a statement stands for its quoted name. */
export type CatalogStore = Readonly<{
  postgres: PostgresPort
  schema: string
  query: Query
  /** A consistent read of several statements. */
  read: <T>(work: (query: Query) => Promise<T>) => Promise<T>
  /** The only way to change the catalog: one at a time over all processes, counters and audit in the same transaction. */
  change: <T>(actor: string, work: (change: Change) => Promise<T>) => Promise<T>
}>

/** Rows that the audit keeps; the oldest go. */
const AUDIT_ROWS_MAX = 100_000
const COUNTERS = [
  'revision',
  'epoch_last',
  'incarnation_last',
  'cluster_uid',
  'cluster_generation',
  'shards',
  'replication_factor',
  'topic_replication_factor',
  'topic_min_insync_replicas',
  'drained_shards',
] as const

export function createCatalogStore(postgres: PostgresPort, schema: string): CatalogStore {
  const quoted = quoteSchema(schema)
  const within =
    (query: Query): Query =>
    (sql, parameters) =>
      query(sql.replaceAll('$schema', quoted), parameters)
  const transaction = <T>(work: (query: Query) => Promise<T>) =>
    postgres.transaction((query) => work(within(query)))
  return {
    postgres,
    schema,
    query: within(postgres.query),
    read: transaction,
    change: (actor, work) => transaction((query) => changeCatalog(query, actor, work)),
  }
}

async function changeCatalog<T>(
  query: Query,
  actor: string,
  work: (change: Change) => Promise<T>,
): Promise<T> {
  // Before the transaction's snapshot is taken: writers wait for each other instead of failing to serialize.
  await query('LOCK TABLE $schema.catalog IN SHARE ROW EXCLUSIVE MODE')
  const [before] = await query<CatalogRow>(`SELECT catalog_id, ${COUNTERS.join(', ')} FROM $schema.catalog`)
  if (before === undefined) throw new TrueNowError('TN_INTERNAL', 'The catalog has lost its only row.')
  const catalog = { ...before }
  const audits: Array<readonly [action: string, subject: string, detail: string]> = []
  let touched = false
  const result = await work({
    query,
    catalog,
    touch: () => {
      touched = true
    },
    nextEpoch: () => ++catalog.epoch_last,
    nextIncarnation: () => ++catalog.incarnation_last,
    audit: (...entry) => {
      audits.push(entry)
    },
  })
  if (touched) catalog.revision += 1
  const changed = COUNTERS.filter((name) => catalog[name] !== before[name])
  if (changed.length > 0) {
    const settings = changed.map((name, index) => `${name} = $${index + 1}`)
    await query(
      `UPDATE $schema.catalog SET ${settings.join(', ')}`,
      changed.map((name) => catalog[name]),
    )
  }
  for (const [action, subject, detail] of audits) {
    await query(
      `WITH added AS (
        INSERT INTO $schema.audit (revision, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)
        RETURNING audit_id
      ) DELETE FROM $schema.audit USING added WHERE audit.audit_id <= added.audit_id - $6`,
      [catalog.revision, actor, action, subject, detail, AUDIT_ROWS_MAX],
    )
  }
  return result
}

/** Whether the server said that schema or table are not there: the catalog was deleted under this process. */
export function isCatalogGone(error: unknown): boolean {
  return sqlStates(error).some((state) => state === '42P01' || state === '3F000')
}

/** The SQLSTATEs in an error and its causes. */
export function sqlStates(error: unknown): string[] {
  const states: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && /^[0-9A-Z]{5}$/.test(at.code)) states.push(at.code)
  }
  return states
}
