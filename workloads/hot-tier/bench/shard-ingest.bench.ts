import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { type Block, decodeBlock, encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { executePartial, type ReadTurns } from '../src/execute-partial.ts'
import { KeySample, SAMPLE_MS } from '../src/key-sample.ts'
import { createWorkTime } from '../src/work-time.ts'
import { askShard, createBenchShard } from './bench-shard.ts'
import { definition, eventBlock, PRODUCTS, REGIONS, START_US, USERS } from './event-blocks.ts'

/*
 * Blocks of 500 to 5,000 rows into a shard of eight slots: ids judged, dictionaries and columns filled, rows published. Every
 * twentieth row came before. Rows a second of CPU time, all threads of the process: the bytes of a block to columns, these to visible
 * rows, and both; memory beside what the columns and texts need at least. Then the same once more with queries beside: one over all
 * rows, read row by row, is always open, its cut held, and has a slice of 2 ms after each look; its own CPU time is told apart. Then into
 * a table with one rollup, by region and product, without and with such queries; and what a look at a block's partition keys costs.
 * Making the blocks is not measured.
 */
const ROWS = Number(process.env.ROWS ?? 10_000_000)
const SIZES = [500, 1_000, 2_000, 5_000]
const DUPLICATES_EVERY = 20
/** Asking for the CPU time is a call of the system that costs: so many blocks share one. */
const BLOCKS_A_LOOK = 16
/** Widths of what a row needs: id, 32-bit time, codes of u8, u16 and u32, two float64 and an int64. */
const ROW_BYTES = 16 + 4 + 1 + 2 + 4 + 8 + 8 + 8
/** A duplicate is one within so many seconds of log time; longer windows put older ids into runs on the volume. */
const DEDUP_SECONDS = Number(process.env.DEDUP_SECONDS ?? 60)

type Slots = ReturnType<typeof createBenchShard>
const sum = (slots: Slots, of: (replica: Slots[0]['replica']) => number) =>
  slots.reduce((total, { replica }) => total + of(replica), 0)
const rounded = (value: number) => Number(value.toFixed(2))
const print = (line: object) =>
  console.log(JSON.stringify({ bench: 'shard-ingest', rows: ROWS, threads: 1, ...line }))
const directory = mkdtempSync(join(tmpdir(), 'truenow-ingest-'))

const { rollups: _, ...plain } = definition
const [scanned, textBytes] = await measure('', plain)
const [applied, ids] = [
  sum(scanned, ({ counters }) => counters.applied),
  sum(scanned, (replica) => replica.ids.size),
]
const pools = scanned[0]!.replica.texts
const idBytes = sum(scanned, (replica) => replica.ids.residentBytes)
const needed = applied * ROW_BYTES + textBytes
print({
  row: 'memory',
  ours: rounded((sum(scanned, (replica) => replica.residentBytes) + pools.residentBytes - idBytes) / needed),
  unit: 'bytes held / (column widths + dictionary bytes)',
  needed_bytes_a_row: rounded(needed / applied),
})
print({ row: 'ids', ours: rounded(idBytes / ids), unit: 'B/id', ids })
for (const { replica } of scanned) replica.free()
const [asked] = await measure(' beside queries', plain, createQueryBeside)
for (const { replica } of asked) replica.free()
const [folded] = await measure(' with a rollup', definition)
print({
  row: 'rollup memory',
  ours: rounded(sum(folded, ({ rollups }) => rollups.bytes) / sum(folded, ({ rollups }) => rollups.rows)),
  unit: 'B/row folded',
  rows_folded: sum(folded, ({ rollups }) => rollups.rows),
})
for (const { replica } of folded) replica.free()
const [both] = await measure(' with a rollup beside queries', definition, createQueryBeside)
for (const { replica } of both) replica.free()
measureKeySample()
rmSync(directory, { recursive: true, force: true })

type Logged = Readonly<{ slot: Slots[0]; number: number; appendTimeUs: number; value: Uint8Array }>

/** A row repeats the id of the one before it in its block. */
function repeatIds({ columns: [id], rowCount }: Block): void {
  if (id?.type !== 'id128') return
  for (let row = DUPLICATES_EVERY; row < rowCount; row += DUPLICATES_EVERY)
    id.values.copyWithin(row * 16, (row - 1) * 16, row * 16)
}

/** Applies all blocks; answers the slots, and the bytes of all texts once: what dictionaries of any making must hold. */
async function measure(
  how: string,
  declared: TableDefinition,
  createBeside?: (slots: Slots) => QueryBeside,
): Promise<readonly [Slots, textBytes: number]> {
  const table = { ...declared, dedupWindowUs: DEDUP_SECONDS * 1_000_000 }
  const slots = createBenchShard(table, join(directory, how.replaceAll(' ', '-') || 'alone'))
  const beside = createBeside?.(slots)
  const users = new Uint8Array(USERS)
  let textBytes = REGIONS * 'region-0'.length + PRODUCTS * 'product-00'.length
  let [decodeUs, applyUs, queryUs] = [0, 0, 0]
  for (let first = 0, number = 0; first < ROWS; ) {
    const logged: Logged[] = []
    for (; first < ROWS && logged.length < BLOCKS_A_LOOK; number++) {
      const rowCount = Math.min(SIZES[number % SIZES.length] as number, ROWS - first)
      const { block, codes, appendTimeUs } = eventBlock(first, rowCount, ROWS)
      repeatIds(block)
      const slot = slots[number % table.slots] as Slots[0]
      logged.push({ slot, number, appendTimeUs, value: encodeBlock(table.version, rowCount, block.columns) })
      for (const user of codes.users) {
        if (users[user] === 1) continue
        users[user] = 1
        textBytes += `user-${user}`.length
      }
      first += rowCount
    }
    const startedUs = cpuUs()
    const decoded = logged.map(({ value }) => decodeBlock(value))
    const decodedUs = cpuUs()
    for (const [index, { slot, number, appendTimeUs }] of logged.entries()) {
      const at = { offset: slot.replica.cursor.offset + 1, checksum: number }
      slot.replica.apply(decoded[index] as Block, table, at, appendTimeUs)
    }
    decodeUs += decodedUs - startedUs
    const appliedUs = cpuUs()
    applyUs += appliedUs - decodedUs
    await beside?.slice()
    queryUs += cpuUs() - appliedUs
  }
  const speed = (us: number) => ({ ours: Math.round((ROWS / us) * 1e6), unit: 'rows/CPU-s' })
  print({ row: `decode${how}`, ...speed(decodeUs) })
  print({
    row: `apply${how}`,
    ...speed(applyUs),
    duplicates: sum(slots, ({ counters }) => counters.deduplicated),
  })
  const queries = beside && { queries: await beside.close(), query_cpu_s: rounded(queryUs / 1e6) }
  print({ row: `decode and apply${how}`, ...speed(decodeUs + applyUs), ...queries })
  return [slots, textBytes]
}

/** A slice of the query at hand, or of the next; how many were answered. */
type QueryBeside = Readonly<{ slice: () => Promise<void>; close: () => Promise<number> }>

/** Asks for the revenue by region over all rows, again and again, through the shard's own entry. */
function createQueryBeside(slots: Slots): QueryBeside {
  const statement = {
    start_time: START_US,
    end_time: START_US + definition.retentionUs,
    namespace: definition.namespace,
    table: definition.name,
    group_by: ['region'],
    aggregate: 'sum' as const,
    metric: 'revenue',
    rollups: false,
  }
  const { signal } = new AbortController()
  const startWork = createWorkTime(() => performance.now())
  let goOn: (() => void) | undefined
  const turns: ReadTurns = {
    begin: () => Promise.resolve(),
    goOn: () =>
      new Promise((resolve) => {
        goOn = resolve
      }),
    readTook: () => {},
  }
  let answered = 0
  let open: Promise<void> | undefined
  const ask = async () => {
    const rows = await askShard(
      (request) =>
        executePartial(request, 0, (_namespace, _name, slot) => slots[slot], startWork, signal, turns), // biome-ignore format: one line
      plain,
      statement,
    )
    assert.equal(rows.length, REGIONS, 'the query must see rows of every region')
    answered += 1
    open = undefined
  }
  const slice = async () => {
    const next = goOn
    goOn = undefined
    if (open === undefined) open = ask()
    else next?.()
    await new Promise((resolve) => setImmediate(resolve)) // All that the query awaits has settled by then.
  }
  const close = async () => {
    while (open !== undefined) await slice()
    return answered
  }
  return { slice, close }
}

/** What counting the partition keys of a warm slot costs, at its dearest: every row of another user, a look at each block. */
function measureKeySample(): void {
  const LOOKS = 2_000
  const blocks = Array.from({ length: LOOKS }, (_, at) => {
    const { block } = eventBlock(at * 500, 500, LOOKS * 500)
    return decodeBlock(encodeBlock(1, 500, block.columns))
  })
  let nowMs = 0
  const sample = new KeySample(() => (nowMs += SAMPLE_MS))
  const startedUs = cpuUs()
  for (const [at, block] of blocks.entries()) sample.look(block, definition, at)
  const lookUs = (cpuUs() - startedUs) / LOOKS
  print({
    row: 'key sample',
    ours: rounded(lookUs),
    unit: 'CPU-µs a look',
    share_of_a_core: lookUs / 1_000 / SAMPLE_MS,
  })
}

/** CPU time of all threads of the process. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
