import type { PostgresPort } from '@truenow/chassis/postgres-port.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { MIGRATIONS, type Migration } from './migrations.ts'

/**
 * Brings the schema up to date and answers how many migrations that took. Safe to run at once in many processes (advisory
 * lock) and again after a crash: each migration and its entry in `migration` are one transaction.
 */
export function migrate(
  postgres: PostgresPort,
  schema: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<number> {
  const quoted = quoteSchema(schema)
  return postgres.withLock(`migrate:${schema}`, async () => {
    await postgres.transaction(async (query) => {
      await query(`CREATE SCHEMA IF NOT EXISTS ${quoted}`)
      await query(
        `CREATE TABLE IF NOT EXISTS ${quoted}.migration (
          number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
        )`,
      )
    })
    const rows = await postgres.query<{ number: number }>(`SELECT number FROM ${quoted}.migration`)
    const applied = new Set(rows.map(({ number }) => number))
    const open = migrations.filter(({ number }) => !applied.has(number))
    for (const { number, name, statements } of open) {
      await postgres.transaction(async (query) => {
        for (const statement of statements) await query(statement.replaceAll('$schema', quoted))
        await query(`INSERT INTO ${quoted}.migration (number, name) VALUES ($1, $2)`, [number, name])
      })
    }
    return open.length
  })
}

/** Quoted for SQL, where a schema cannot be a parameter. Only what postgresSchemaName makes passes. */
export function quoteSchema(schema: string): string {
  if (!/^[a-z0-9_]{1,63}$/.test(schema)) {
    throw new TrueNowError(
      'TN_CONFIG_INVALID',
      `'${schema}' cannot be a PostgreSQL schema: at most 63 of a-z, 0-9 and _; use shorter names of namespace and cluster.`,
    )
  }
  return `"${schema}"`
}
