import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import type { Cursor, SlotReplica } from '../slot-replica.ts'
import { encodeRows, type LogRow } from './encode-rows.ts'

/** One record of a slot's log. Without `definition` it is a dead letter. */
export type LogRecord = Readonly<{
  at: Cursor
  appendTimeUs: number
  value: Buffer
  definition: TableDefinition | undefined
  rows: readonly LogRow[]
}>

const SECOND_US = 1_000_000
export const LOG_START_US = 1_700_000_000 * SECOND_US

/** Versions of one table: a column comes, retention grows (with its bucket span) and shrinks, the dedup window changes. */
export const VERSIONS: readonly TableDefinition[] = [
  { retentionUs: 120 * SECOND_US, dedupWindowUs: 20 * SECOND_US },
  { retentionUs: 1_800 * SECOND_US, dedupWindowUs: 60 * SECOND_US },
  { retentionUs: 60 * SECOND_US, dedupWindowUs: 5 * SECOND_US },
].map((durations, index) => ({
  namespace: 'production',
  name: 'events',
  version: index + 1,
  columns: [
    { name: 'region', type: 'string', nullable: true },
    { name: 'items', type: 'int64', nullable: false },
    { name: 'revenue', type: 'float64', nullable: true },
    { name: 'paid', type: 'bool', nullable: true },
    ...(index === 0 ? [] : [{ name: 'product', type: 'string' as const, nullable: true }]),
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 1,
  allowedLatenessUs: 2 * SECOND_US,
  maxFutureSkewUs: 60 * SECOND_US,
  idleTimeoutUs: 10 * SECOND_US,
  onMemoryFull: 'Evict',
  ...durations,
}))

/** Numbers in [0, 1) from a seed. Source: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003), p. 4. */
export function seededRandom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 4_294_967_296
  }
}

/**
 * An endless log of one slot, the same for the same seed: ids come again soon and late, event times are late, expired and
 * ahead, append times step back and leap, some records are dead letters, table versions come mixed and offsets leave holes.
 */
export function* randomLog(seed: number): Generator<LogRecord> {
  const random = seededRandom(seed)
  const below = (bound: number) => Math.floor(random() * bound)
  let offset = -1
  let nowUs = LOG_START_US
  let newest = 1
  for (let index = 0; ; index++) {
    offset += random() < 0.1 ? 1 + below(4) : 1
    nowUs += below(20) === 0 ? below(200) * SECOND_US : below(3_000_000)
    const appendTimeUs = nowUs - (below(8) === 0 ? below(5 * SECOND_US) : 0)
    if (index > 0 && index % 25 === 0) newest = Math.min(VERSIONS.length, newest + 1)
    if (below(12) === 0) {
      const value = Buffer.from(`no block ${offset}`)
      yield { at: { offset, checksum: crc32c(value) }, appendTimeUs, value, definition: undefined, rows: [] }
      continue
    }
    const definition = VERSIONS[Math.max(0, newest - 1 - (below(5) === 0 ? 1 : 0))] as TableDefinition
    const rows = Array.from({ length: 1 + below(12) }, () => randomRow(below, nowUs, index, definition))
    const value = encodeRows(rows, definition)
    yield { at: { offset, checksum: crc32c(value) }, appendTimeUs, value, definition, rows }
  }
}

/** The first `count` records of `randomLog`. */
export const logOf = (seed: number, count: number): LogRecord[] => randomLog(seed).take(count).toArray()

/** Folds one record into a replica. */
export function fold(replica: SlotReplica, { at, appendTimeUs, value, definition }: LogRecord): void {
  if (definition === undefined) replica.deadLetter(at, appendTimeUs)
  else replica.apply(decodeBlock(value), definition, at, appendTimeUs)
}

function randomRow(
  below: (bound: number) => number,
  nowUs: number,
  index: number,
  definition: TableDefinition,
): LogRow {
  // Mostly about now; some late, some far too late, some ahead.
  const lagUs = [below(2_000_000), below(200) * SECOND_US, below(4_000) * SECOND_US, -below(60) * SECOND_US][
    Math.max(0, below(9) - 5)
  ] as number
  const region = ['eu', 'us-east', '', '\u{1f600}', null][below(5)] as string | null
  const revenue = below(6) === 0 ? null : below(4_000) / 4 - 500
  const paid = [true, false, null][below(3)] as boolean | null
  return {
    id: `id-${Math.max(0, index - below(30))}-${below(4)}`,
    timeUs: Math.floor(nowUs - lagUs),
    values: [
      region,
      below(2_000) - 1_000,
      revenue,
      paid,
      ...(definition.columns.length === 5 ? [below(3) === 0 ? null : `widget-${below(3)}`] : []),
    ],
  }
}
