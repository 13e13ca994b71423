/** Rows come with int8 as number where it is safe and numeric as string; parameters are `$n` only, never text. */
export type Query = <Row extends Record<string, unknown>>(
  sql: string,
  parameters?: readonly unknown[],
) => Promise<Row[]>

/**
 * All that the control plane asks of PostgreSQL. Real: postgres-client.ts (pg); dev mode and fast tests:
 * postgres-embedded.ts (PGlite); one case file runs against both.
 * Errors: TN_POSTGRES_UNAVAILABLE when nothing answered in time; the server's own errors pass with their SQLSTATE as cause.
 */
export type PostgresPort = Readonly<{
  query: Query
  /** Runs `work` in one SERIALIZABLE transaction; any throw rolls back. Retries serialization failures at most 5 times. */
  transaction: <T>(work: (query: Query) => Promise<T>) => Promise<T>
  /** Runs `work` while holding an advisory lock by name, so that two never migrate at once. */
  withLock: <T>(name: string, work: () => Promise<T>) => Promise<T>
  reachable: () => Promise<boolean>
  close: () => Promise<void>
}>
