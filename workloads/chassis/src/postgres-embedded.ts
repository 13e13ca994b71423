import { PGlite, type Transaction } from '@electric-sql/pglite'
import type { PostgresPort, Query } from './postgres-port.ts'

/** Type OIDs of int8 and numeric: see postgres-client.ts, which parses them alike. */
const INT8 = 20
const NUMERIC = 1_700

/** PostgreSQL in this process (PGlite): dev mode and fast tests. One connection, so every transaction is serial. */
export async function createPostgresEmbedded(
  options: Readonly<{ dataDirectory?: string }> = {},
): Promise<PostgresPort> {
  const parsers = { [INT8]: (text: string) => Number(text), [NUMERIC]: (text: string) => text }
  const database = await PGlite.create({
    ...(options.dataDirectory === undefined ? {} : { dataDir: options.dataDirectory }),
    parsers,
  })
  const queryOn =
    (on: PGlite | Transaction): Query =>
    async <Row extends Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) => {
      // PGlite prepares statements with parameters, and a prepared one holds a single command; scripts have none.
      if (parameters.length > 0) return (await on.query<Row>(sql, [...parameters])).rows
      const results = await on.exec(sql)
      return (results.at(-1)?.rows ?? []) as Row[]
    }
  const locks = new Map<string, Promise<unknown>>()
  return {
    query: queryOn(database),
    transaction: (work) => database.transaction((transaction) => work(queryOn(transaction))),
    withLock: async (name, work) => {
      const before = locks.get(name) ?? Promise.resolve()
      const mine = before.then(work, work)
      locks.set(
        name,
        mine.catch(() => {}),
      )
      return mine
    },
    reachable: async () => true,
    close: () => database.close(),
  }
}
