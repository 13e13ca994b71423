import { DuckDBInstance } from '@duckdb/node-api'
import type { Peer } from './peer.ts'

/**
 * DuckDB with the rows in one in-memory table. All three dimensions are ENUMs: its group-by and its filters then work on
 * codes, which is faster for it than VARCHAR.
 */
export async function createDuckdbPeer(csv: string): Promise<Peer> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const names = (type: string, prefix: string, count: number) =>
    connection.run(`CREATE TYPE ${type} AS ENUM (SELECT '${prefix}' || range FROM range(${count}))`)
  await names('region_name', 'region-', 8)
  await names('product_name', 'product-', 1_000)
  await names('user_name', 'user-', 1_000_000)
  await connection.run(`CREATE TABLE events AS SELECT ('region-' || r)::region_name AS region, ('product-' || p)::product_name AS product,
    ('user-' || u)::user_name AS user_id, c / 100.0::DOUBLE AS revenue, l / 10.0::DOUBLE AS latency, n AS items, t AS event_time_us
    FROM read_csv('${csv}', header = false, columns = {'r': 'INTEGER', 'p': 'INTEGER', 'u': 'INTEGER', 'c': 'BIGINT', 'l': 'BIGINT', 'n': 'BIGINT', 't': 'BIGINT'})`)
  return {
    name: 'duckdb',
    useThreads: async (threads) => void (await connection.run(`SET threads = ${threads}`)),
    ask: async ({ duckdb }) => (await connection.runAndReadAll(duckdb)).getRows(),
    close: () => {
      connection.closeSync()
      instance.closeSync()
    },
  }
}
