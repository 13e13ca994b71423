import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Peer } from './peer.ts'

/** What is used of npm `chdb`: ClickHouse in this process. It is no dependency: `make bench-peers` puts it into .cache/. */
type Session = Readonly<{ query: (sql: string, format?: string) => string; cleanup: () => void }>
type Chdb = Readonly<{ Session: new (path: string) => Session }>

const LOW_CARDINALITY =
  'region LowCardinality(String), product LowCardinality(String), user_id LowCardinality(String)'
const COLUMNS = `${LOW_CARDINALITY}, revenue Float64, latency Float64, items Int64, event_time_us Int64`
const ENGINES = { memory: 'ENGINE = Memory', mergetree: 'ENGINE = MergeTree ORDER BY event_time_us' } as const

/** ClickHouse with the rows in a Memory and in a MergeTree table, a peer each; the first that closes takes both away. */
export function createClickhousePeers(csv: string, packages: string): readonly Peer[] {
  const { Session } = createRequire(import.meta.url)(join(packages, 'node_modules/chdb')) as Chdb
  const directory = mkdtempSync(join(tmpdir(), 'truenow-bench-clickhouse-'))
  const session = new Session(directory)
  let open = true
  const close = () => {
    if (!open) return
    open = false
    session.cleanup()
    rmSync(directory, { recursive: true, force: true })
  }
  session.query('CREATE DATABASE bench')
  const source = `file('${csv}', 'CSV', 'r UInt8, p UInt16, u UInt32, c Int64, l Int64, n Int64, t Int64')`
  const rows = `SELECT concat('region-', toString(r)), concat('product-', toString(p)), concat('user-', toString(u)), c / 100, l / 10, n, t FROM ${source}`
  return Object.entries(ENGINES).map(([engine, clause]): Peer => {
    let threads = 1
    session.query(`CREATE TABLE bench.${engine} (${COLUMNS}) ${clause}`)
    session.query(`INSERT INTO bench.${engine} ${rows}`)
    if (engine === 'mergetree') session.query(`OPTIMIZE TABLE bench.${engine} FINAL`)
    return {
      name: `clickhouse ${engine}`,
      useThreads: async (count) => {
        threads = count
      },
      ask: async ({ clickhouse }) => {
        const sql = `${clickhouse.replace('FROM events', `FROM bench.${engine}`)} SETTINGS max_threads = ${threads}`
        const text = session.query(sql, 'JSONCompactEachRow')
        return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown[]]))
      },
      close,
    }
  })
}
