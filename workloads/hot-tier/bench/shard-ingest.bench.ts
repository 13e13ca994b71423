import { createBenchShard } from './bench-shard.ts'
import { definition, eventBlock, PRODUCTS, REGIONS, USERS } from './event-blocks.ts'

/*
 * Blocks of 500 to 5,000 rows into a shard of eight slots: ids judged, dictionaries and columns filled, rows published. Every
 * twentieth row came before. Rows a second of CPU time, all threads of the process; memory beside what the columns and texts need at
 * least. Making the blocks is not measured.
 */
const ROWS = Number(process.env.ROWS ?? 10_000_000)
const SIZES = [500, 1_000, 2_000, 5_000]
const DUPLICATES_EVERY = 20
/** Widths of what a row needs: id, 32-bit time, codes of u8, u16 and u32, two float64 and an int64. */
const ROW_BYTES = 16 + 4 + 1 + 2 + 4 + 8 + 8 + 8

const slots = createBenchShard(definition)
const users = new Uint8Array(USERS)
let [cpuUs, offered, textBytes] = [0, 0, REGIONS * 'region-0'.length + PRODUCTS * 'product-00'.length]
for (let first = 0, number = 0; first < ROWS; number++) {
  const rowCount = Math.min(SIZES[number % SIZES.length] as number, ROWS - first)
  const { block, codes, appendTimeUs } = eventBlock(first, rowCount, ROWS)
  const [id] = block.columns
  const slot = number % definition.slots
  // A row repeats the id of the one before it in its block.
  if (id?.type === 'id128')
    for (let row = DUPLICATES_EVERY; row < rowCount; row += DUPLICATES_EVERY)
      id.values.copyWithin(row * 16, (row - 1) * 16, row * 16)
  const { replica } = slots[slot] as (typeof slots)[0]
  const before = process.cpuUsage()
  replica.apply(block, definition, { offset: replica.cursor.offset + 1, checksum: number }, appendTimeUs)
  const { user, system } = process.cpuUsage(before)
  cpuUs += user + system
  for (let row = 0; row < rowCount; row++) countText(codes.users[row] as number)
  offered += rowCount
  first += rowCount
}

/** Bytes of each text once: what dictionaries of any making must hold. */
function countText(user: number): void {
  if (users[user] === 1) return
  users[user] = 1
  textBytes += `user-${user}`.length
}

const sum = (of: (replica: (typeof slots)[0]['replica']) => number) =>
  slots.reduce((total, { replica }) => total + of(replica), 0)
const [applied, ids] = [sum(({ counters }) => counters.applied), sum((replica) => replica.ids.size)]
const pools = slots[0]!.replica.texts
const idBytes = sum((replica) => replica.ids.residentBytes)
const needed = applied * ROW_BYTES + textBytes
const rounded = (value: number) => Number(value.toFixed(2))
const print = (line: object) =>
  console.log(JSON.stringify({ bench: 'shard-ingest', rows: offered, threads: 1, ...line }))
print({
  row: 'apply',
  ours: Math.round((offered / cpuUs) * 1e6),
  unit: 'rows/CPU-s',
  duplicates: sum(({ counters }) => counters.deduplicated),
})
print({
  row: 'memory',
  ours: rounded((sum((replica) => replica.residentBytes) + pools.residentBytes - idBytes) / needed),
  unit: 'bytes held / (column widths + dictionary bytes)',
  needed_bytes_a_row: rounded(needed / applied),
})
print({ row: 'ids', ours: rounded(idBytes / ids), unit: 'B/id', ids })
