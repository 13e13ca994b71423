import { utf8Hash } from '../hashing/utf8-hash.ts'
import { TEXT_HEADER_BYTES, type TextKernels, textRecordBytes } from './ingest-kernels.ts'
import type { MemoryViews } from './memory-views.ts'

const TAG_MASK = 7
const TAG_SHIFT = 29
/** Words of the struct `pool`. */
const [GIVEN, FREE, NEXT, RECORDS, HELD] = [0, 1, 2, 3, 4]

/** Twin of assembly/intern-texts.ts. */
export const internTexts = (views: () => MemoryViews): TextKernels => ({
  ...translating(views),
  ...sweeping(views),
})

type Sweeping = 'indexTexts' | 'sweepTexts'

const translating = (views: () => MemoryViews): Omit<TextKernels, Sweeping> => ({
  hashTexts: (texts, ends, n, out) => {
    const memory = views()
    for (let entry = 0; entry < n; entry++) {
      const [from, end] = boundsOf(memory, ends, entry)
      memory.u32[out / 4 + entry] = utf8Hash(memory.u8, texts + from, texts + end)
    }
  },
  findTexts: (texts, ends, hashes, n, table, mask, out) => {
    const memory = views()
    const { u32 } = memory
    for (let entry = 0; entry < n; entry++) {
      const hash = u32[hashes / 4 + entry]!
      const [from, end] = boundsOf(memory, ends, entry)
      const place = findPlace(memory, { table, mask }, hash, texts + from, end - from)
      u32[out / 4 + entry] = addressOf(u32[place]!)
    }
  },
  translateTexts: (texts, ends, hashes, records, codes, rows, n, end, table, mask, pool, out) => {
    const memory = views()
    const { u32 } = memory
    for (let index = 0; index < n; index++) {
      const entry = u32[codes / 4 + u32[rows / 4 + index]!]!
      let record = u32[records / 4 + entry]!
      if (record === 0) {
        const [from, to] = boundsOf(memory, ends, entry)
        const hash = u32[hashes / 4 + entry]!
        const place = findPlace(memory, { table, mask }, hash, texts + from, to - from)
        record = addressOf(u32[place]!)
        if (record === 0) {
          record = addText(memory, pool, texts + from, to - from, end)
          u32[place] = record | (hash >>> TAG_SHIFT)
        }
        u32[records / 4 + entry] = record
      }
      if (u32[record / 4 + 1]! < end) u32[record / 4 + 1] = end
      u32[out / 4 + index] = u32[record / 4]!
    }
  },
})

const sweeping = (views: () => MemoryViews): Pick<TextKernels, Sweeping> => ({
  indexTexts: (from, end, table, mask) => {
    const { u8, u32 } = views()
    for (let record = from; record < end; ) {
      const length = u32[record / 4 + 2]!
      const hash = utf8Hash(u8, record + TEXT_HEADER_BYTES, record + TEXT_HEADER_BYTES + length)
      let index = (hash & mask) >>> 0
      while (u32[table / 4 + index] !== 0) index = ((index + 1) & mask) >>> 0
      u32[table / 4 + index] = record | (hash >>> TAG_SHIFT)
      record += textRecordBytes(length)
    }
  },
  sweepTexts: (from, end, oldest, pool) => {
    const { u8, u32 } = views()
    const state = u32.subarray(pool / 4)
    let to = from
    for (let record = from; record < end; ) {
      const code = u32[record / 4]!
      const bytes = textRecordBytes(u32[record / 4 + 2]!)
      const place = state[RECORDS]! / 4 + code
      if (u32[record / 4 + 1]! < oldest) {
        u32[place] = state[FREE]! * 2 + 1
        state[FREE] = code + 1
        state[HELD]! -= 1
      } else {
        u8.copyWithin(to, record, record + bytes)
        u32[place] = to
        to += bytes
      }
      record += bytes
    }
    return to
  },
})

const boundsOf = ({ u32 }: MemoryViews, ends: number, entry: number): readonly [number, number] => [
  entry === 0 ? 0 : u32[ends / 4 + entry - 1]!,
  u32[ends / 4 + entry]!,
]
const addressOf = (place: number): number => (place & ~TAG_MASK) >>> 0
const isText = ({ u8, u32 }: MemoryViews, record: number, from: number, length: number): boolean => {
  if (u32[record / 4 + 2] !== length) return false
  for (let at = 0; at < length; at++) {
    if (u8[record + TEXT_HEADER_BYTES + at] !== u8[from + at]) return false
  }
  return true
}
/** Word of the text's place, or of the free place where it belongs. */
const findPlace = (
  memory: MemoryViews,
  { table, mask }: Readonly<{ table: number; mask: number }>,
  hash: number,
  from: number,
  length: number,
): number => {
  for (let index = (hash & mask) >>> 0; ; index = ((index + 1) & mask) >>> 0) {
    const held = memory.u32[table / 4 + index]!
    if (held === 0) return table / 4 + index
    if ((held & TAG_MASK) === hash >>> TAG_SHIFT && isText(memory, addressOf(held), from, length))
      return table / 4 + index
  }
}
const addText = ({ u8, u32 }: MemoryViews, pool: number, from: number, length: number, end: number) => {
  const state = u32.subarray(pool / 4)
  const record = state[NEXT]!
  let code = state[FREE]! - 1
  if (code < 0) code = state[GIVEN]!++
  else state[FREE] = u32[state[RECORDS]! / 4 + code]! >>> 1
  u32[state[RECORDS]! / 4 + code] = record
  state[HELD]! += 1
  const bytes = textRecordBytes(length)
  u8.fill(0, record + bytes - 8, record + bytes)
  u32.set([code, end, length], record / 4)
  u8.copyWithin(record + TEXT_HEADER_BYTES, from, from + length)
  state[NEXT] = record + bytes
  return record
}
