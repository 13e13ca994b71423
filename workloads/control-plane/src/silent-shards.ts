import type { Query } from '@truenow/chassis/postgres-port.ts'

/** A shard reports about once a second; one that has not for this long cannot be counted on to answer. */
export const SHARD_SILENT_MS = 10_000

export const isSilent = (reportedAtUs: number, nowUs: number): boolean =>
  nowUs - reportedAtUs > SHARD_SILENT_MS * 1_000

/**
 * Shards that are known or hold replicas and have said nothing for SHARD_SILENT_MS, ascending. The catalog goes on calling their replicas
 * serving, since whoever comes back with its volume is what it was; but nobody may be told that they are there.
 */
export async function silentShards(query: Query, nowUs: number): Promise<number[]> {
  const rows = await query<{ shard: number }>(
    `SELECT known.shard FROM (SELECT shard FROM $schema.replica UNION SELECT shard FROM $schema.shard) AS known
     LEFT JOIN $schema.shard_report AS report USING (shard) WHERE report.reported_at_us IS NULL OR report.reported_at_us < $1 ORDER BY known.shard`,
    [nowUs - SHARD_SILENT_MS * 1_000],
  )
  return rows.map(({ shard }) => shard)
}
