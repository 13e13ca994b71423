import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeEventId } from '@truenow/contracts/event-id.ts'
import { decodeBlock, encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { valueAt } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import type { RowSource } from '../plan/row-source.ts'
import { bucketSpanUs, SlotReplica } from './slot-replica.ts'
import { encodeRows, type LogRow } from './testing/encode-rows.ts'
import { fold, LOG_START_US, type LogRecord, logOf, VERSIONS } from './testing/random-log.ts'

const [first, longer, shorter] = VERSIONS as [
  (typeof VERSIONS)[0],
  (typeof VERSIONS)[0],
  (typeof VERSIONS)[0],
]
const anyLog = fc
  .tuple(fc.integer({ min: 0, max: 1 << 30 }), fc.integer({ min: 1, max: 65 }))
  .map(([seed, count]) => logOf(seed, count))

type Held = Readonly<{ rowNumber: number; id: string; timeUs: number; values: readonly unknown[] }>
type NaiveRow = Held & Readonly<{ bucketEndUs: number }>

/** What becomes of a log, by the rules of the design, one row after another over a map of ids and a list of rows. */
function naive(records: readonly LogRecord[]) {
  const firstSeenUs = new Map<string, number>()
  let rows: NaiveRow[] = []
  const counters = { logRows: 0, applied: 0, deduplicated: 0, expired: 0, deadLettered: 0 }
  let [definition, logTimeUs, eventUsMax, watermarkUs] = [first, -1, -1, 0]
  const horizonUs = () => Math.min(eventUsMax, logTimeUs) - definition.retentionUs
  for (const record of records) {
    logTimeUs = Math.max(logTimeUs, record.appendTimeUs)
    if (record.definition === undefined) {
      counters.deadLettered += 1
      counters.logRows += 1
    } else {
      if (record.definition.version > definition.version) definition = record.definition
      for (const [id, seenUs] of firstSeenUs)
        if (logTimeUs - seenUs >= definition.dedupWindowUs) firstSeenUs.delete(id)
      const spanUs = bucketSpanUs(definition.retentionUs)
      const expiredAtUs = horizonUs()
      for (const row of record.rows) {
        const bucketEndUs = row.timeUs - (row.timeUs % spanUs) + spanUs
        const rowNumber = counters.logRows++
        if (bucketEndUs <= expiredAtUs) counters.expired += 1
        else if (firstSeenUs.has(row.id)) counters.deduplicated += 1
        else {
          counters.applied += 1
          firstSeenUs.set(row.id, logTimeUs)
          rows.push({ ...row, rowNumber, bucketEndUs, values: wide(row) })
        }
      }
      eventUsMax = Math.max(eventUsMax, ...record.rows.map(({ timeUs }) => timeUs))
    }
    watermarkUs = Math.max(watermarkUs, Math.min(eventUsMax, logTimeUs) - definition.allowedLatenessUs)
    const droppedUpToUs = horizonUs()
    rows = rows.filter(({ bucketEndUs }) => bucketEndUs > droppedUpToUs)
  }
  const held = rows.map(({ rowNumber, id, timeUs, values }) => ({ rowNumber, id, timeUs, values }))
  return { counters, watermarkUs, remembered: firstSeenUs.size, held }
}
const wide = ({ values }: LogRow) => [...values, ...(values.length < 5 ? [null] : [])]

/** The rows of a cut in log order, read through the columns that a plan would read. */
function rowsOf(sources: readonly RowSource[]): Held[] {
  const names = longer.columns.map(({ name }) => name)
  return sources
    .flatMap((source) => {
      const ids = source.column('event_id')
      assert.ok(ids?.type === 'id128')
      return Array.from({ length: source.rowCount }, (_, row) => {
        const timeUs = source.times[row] as number
        assert.ok(timeUs >= source.timeUsMin && timeUs <= source.timeUsMax, 'bounds hold for every row')
        const values = names.map((name) => {
          const column = source.column(name)
          return column === undefined ? null : valueAt(column, row)
        })
        return {
          rowNumber: source.rowNumbers[row] as number,
          id: decodeEventId(ids.values, row * 16),
          timeUs,
          values,
        }
      })
    })
    .toSorted((a, b) => a.rowNumber - b.rowNumber)
}
const folded = (records: readonly LogRecord[]): SlotReplica => {
  const replica = new SlotReplica(first)
  for (const record of records) fold(replica, record)
  return replica
}

/** A log has up to 65 records of up to 12 rows: a run is worth many small ones. */
const numRuns = 40

test('SlotReplica: rows, counters, watermark and remembered ids are what a row-by-row recount of the log gives', () => {
  fc.assert(
    fc.property(anyLog, (records) => {
      const replica = folded(records)
      const expected = naive(records)
      assert.deepEqual(rowsOf(replica.cut(0).sources), expected.held)
      assert.deepEqual(
        { counters: replica.counters, watermarkUs: replica.watermarkUs },
        { counters: expected.counters, watermarkUs: expected.watermarkUs },
      )
      if (records.at(-1)?.definition !== undefined) assert.equal(replica.ids.size, expected.remembered)
      assert.equal(replica.residentRows, expected.held.length)
    }),
    { numRuns },
  )
})

test('SlotReplica: conservation holds after every record', () => {
  fc.assert(
    fc.property(anyLog, (records) => {
      const replica = new SlotReplica(first)
      for (const record of records) {
        fold(replica, record)
        const { logRows, applied, deduplicated, expired, deadLettered } = replica.counters
        assert.equal(logRows, applied + deduplicated + expired + deadLettered)
        assert.deepEqual(replica.cursor, record.at)
      }
    }),
    { numRuns },
  )
})

test('SlotReplica: from retainedFromUs on nothing that was applied is missing, also when the retention changes', () => {
  fc.assert(
    fc.property(anyLog, fc.array(fc.boolean(), { minLength: 90, maxLength: 90 }), (records, evicts) => {
      const replica = new SlotReplica(first)
      const applied = new Map<number, number>()
      let retainedFromUs = 0
      for (const [index, record] of records.entries()) {
        fold(replica, record)
        for (const { rowNumber, timeUs } of rowsOf(replica.cut(0).sources)) applied.set(rowNumber, timeUs)
        if (evicts[index] && index % 7 === 0) replica.evictOldest()
        assert.ok(replica.retainedFromUs >= retainedFromUs, 'it never goes back')
        retainedFromUs = replica.retainedFromUs
      }
      const held = new Set(rowsOf(replica.cut(0).sources).map(({ rowNumber }) => rowNumber))
      const missing = [...applied].filter(([number, timeUs]) => timeUs >= retainedFromUs && !held.has(number))
      assert.deepEqual(missing, [])
    }),
    { numRuns },
  )
})

test('SlotReplica: equal logs give equal hashes, whatever else is done between the records', () => {
  fc.assert(
    fc.property(anyLog, fc.infiniteStream(fc.nat(5)), (records, disturbances) => {
      const plain = new SlotReplica(first)
      const disturbed = new SlotReplica(first)
      for (const record of records) {
        fold(plain, record)
        fold(disturbed, record)
        const disturbance = disturbances.next().value
        if (disturbance === 0) disturbed.evictOldest()
        if (disturbance === 1) disturbed.cut(0).release()
        if (disturbance === 2) disturbed.stateHash()
        assert.equal(disturbed.stateHash(), plain.stateHash())
      }
    }),
    { numRuns },
  )
})

test('SlotReplica: one record less, another checksum, order or value: another hash', () => {
  const [one, two] = [single(first, 0, 'a', LOG_START_US), single(first, 1, 'b', LOG_START_US)]
  const block = decodeBlock(two.value)
  const items = block.columns[3]
  assert.ok(items?.type === 'int64')
  const columns = block.columns.with(3, {
    ...items,
    values: items.values.with(0, (items.values[0] ?? 0) + 1),
  })
  const hashes = [
    [one],
    [one, two],
    [one, { ...two, at: { offset: 1, checksum: 1 } }],
    [one, { ...two, at: { offset: 2, checksum: 0 } }],
    [one, { ...two, value: encodeOne({ ...block, columns }) }],
    [one, { ...two, appendTimeUs: two.appendTimeUs + 1 }],
    [
      { ...two, at: one.at },
      { ...one, at: two.at },
    ],
    [one, { ...two, definition: undefined }],
  ].map((records) => folded(records).stateHash())
  assert.equal(new Set(hashes).size, hashes.length)
})

test('SlotReplica: a cut stays as it was, whatever comes after it', () => {
  fc.assert(
    fc.property(anyLog, fc.nat(90), (records, at) => {
      const replica = new SlotReplica(first)
      let [sources, rows]: [readonly RowSource[], Held[]] = [[], []]
      for (const [index, record] of records.entries()) {
        fold(replica, record)
        if (index !== at) continue
        sources = replica.cut(0).sources
        rows = rowsOf(sources)
      }
      replica.evictOldest()
      assert.deepEqual(rowsOf(sources), rows)
    }),
    { numRuns },
  )
})

/** A record of one row of the given version. */
function single(definition: (typeof VERSIONS)[0], offset: number, id: string, timeUs: number): LogRecord {
  const template = logOf(1, 200).find((record) => record.definition === definition)
  assert.ok(template !== undefined, 'the random log has every version')
  const block = decodeBlock(template.value)
  const ids = block.columns[0]
  assert.ok(ids?.type === 'id128')
  const values = ids.values.slice(0, 16).fill(0)
  Buffer.from(id).copy(values)
  values[8] = id.length
  const columns = block.columns
    .with(0, { type: 'id128', values })
    .with(1, { type: 'timestamp', values: Float64Array.of(timeUs) })
  const one = { ...block, rowCount: 1, timeUsMin: timeUs, timeUsMax: timeUs, columns }
  return { ...template, at: { offset, checksum: 0 }, appendTimeUs: timeUs, value: encodeOne(one), definition }
}
const encodeOne = ({ tableVersion, columns }: ReturnType<typeof decodeBlock>) =>
  encodeBlock(tableVersion, 1, columns)

test('SlotReplica: a longer retention does not claim rows that the shorter one let go', () => {
  const replica = new SlotReplica(first)
  fold(replica, single(first, 0, 'a', LOG_START_US))
  const laterUs = LOG_START_US + 3 * first.retentionUs
  fold(replica, single(first, 1, 'b', laterUs))
  const retainedFromUs = replica.retainedFromUs
  assert.ok(retainedFromUs > LOG_START_US)
  fold(replica, single(longer, 2, 'c', laterUs))
  assert.equal(replica.retainedFromUs, retainedFromUs)
})

test('SlotReplica: a shorter retention keeps the rows of a bucket that was opened under a longer one', () => {
  const spanUs = bucketSpanUs(longer.retentionUs)
  const startUs = Math.ceil(LOG_START_US / spanUs) * spanUs
  const replica = new SlotReplica(first)
  fold(replica, single(longer, 0, 'early', startUs))
  fold(replica, single(longer, 1, 'late', startUs + spanUs - 1))
  // The bucket's beginning has expired under the new retention, its end has not.
  fold(replica, single(shorter, 2, 'now', startUs + shorter.retentionUs + 2_000_000))
  assert.deepEqual(rowsOf(replica.cut(0).sources).map(({ id }) => id), ['early', 'late', 'now']) // biome-ignore format: one line
  fold(replica, single(shorter, 3, 'then', startUs + spanUs + shorter.retentionUs))
  assert.deepEqual(rowsOf(replica.cut(0).sources).map(({ id }) => id), ['now', 'then']) // biome-ignore format: one line
})

test('SlotReplica: records lost to retention are a gap, and the state goes on behind it', () => {
  const [replica, other] = [folded(logOf(5, 20)), folded(logOf(5, 20))]
  const before = { offset: replica.cursor.offset, logTimeUs: replica.logTimeUs }
  replica.loseUpTo(before.offset + 1, before.offset + 11, 1)
  other.loseUpTo(before.offset + 1, before.offset + 11, 2)
  assert.equal(replica.cursor.offset, before.offset + 10)
  assert.deepEqual(replica.gaps, [
    { firstOffset: before.offset + 1, resumeOffset: before.offset + 11, fromUs: before.logTimeUs, toUs: 1 },
  ])
  assert.equal(
    replica.stateHash(),
    other.stateHash(),
    'the clock that bounds the gap is no part of the state',
  )
  assert.notEqual(replica.stateHash(), folded(logOf(5, 20)).stateHash())
})

test('SlotReplica: the next record bounds a gap in time, and it is forgotten once nothing of it could be held', () => {
  const [first] = VERSIONS as [(typeof VERSIONS)[0]]
  const [startUs, skewUs, spanUs] = [LOG_START_US, first.maxFutureSkewUs, bucketSpanUs(first.retentionUs)]
  const replica = new SlotReplica(first)
  replica.loseUpTo(0, 5, startUs * 2)
  fold(replica, single(first, 5, 'a', startUs))
  const [gap] = replica.gaps
  assert.deepEqual([gap?.fromUs, gap?.toUs], [0, startUs])
  // The latest that a lost row can be expires with the bucket that it is in.
  const lastUs = Math.ceil((startUs + skewUs) / spanUs) * spanUs + first.retentionUs
  fold(replica, single(first, 6, 'b', lastUs))
  assert.equal(replica.gaps.length, 1)
  fold(replica, single(first, 7, 'c', lastUs + spanUs))
  assert.equal(replica.gaps.length, 0)
})

test('SlotReplica: memory pressure frees the oldest bucket and never the last', () => {
  const replica = folded(logOf(9, 60))
  const starts = [...replica.buckets.values()].map(({ startUs }) => startUs).toSorted((a, b) => a - b)
  const bytes = replica.residentBytes
  assert.equal(replica.evictOldest(), true)
  assert.ok(replica.residentBytes < bytes)
  assert.ok([...replica.buckets.values()].every(({ startUs }) => startUs > starts[0]!))
  while (replica.buckets.size > 1) assert.equal(replica.evictOldest(), true)
  assert.equal(replica.evictOldest(), false)
})

test('SlotReplica: without room a block changes nothing, and goes in once an old bucket has left', () => {
  const arena = new Arena(createPlainMemory(1 << 20), 1 << 20)
  const replica = new SlotReplica(longer, { arena })
  const minuteUs = 60_000_000
  const blockAt = (offset: number) => {
    const timeUs = LOG_START_US + offset * minuteUs
    const rows = Array.from({ length: 900 }, (_, row) => ({
      id: `${offset}-${row}`,
      timeUs,
      values: ['eu', 1, 1, true, 'x'],
    }))
    return { block: decodeBlock(encodeRows(rows, longer)), timeUs }
  }
  const apply = (offset: number) => {
    const { block, timeUs } = blockAt(offset)
    replica.apply(block, longer, { offset, checksum: offset }, timeUs)
  }
  let offset = 0
  assert.throws(
    () => {
      for (; offset < 1_000; offset++) apply(offset)
    },
    { code: 'TN_MEMORY_FULL' },
  )
  assert.ok(offset > 3)
  const alone = new SlotReplica(longer)
  for (let at = 0; at < offset; at++) {
    const { block, timeUs } = blockAt(at)
    alone.apply(block, longer, { offset: at, checksum: at }, timeUs)
  }
  assert.equal(replica.stateHash(), alone.stateHash(), 'as if the block had never come')
  while (replica.evictOldest());
  apply(offset)
  const { block, timeUs } = blockAt(offset)
  alone.apply(block, longer, { offset, checksum: offset }, timeUs)
  assert.equal(replica.stateHash(), alone.stateHash())
  replica.free()
  assert.equal(arena.usedBytes, 0)
})
