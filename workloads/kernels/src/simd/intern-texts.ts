import { utf8Hash } from '../hashing/utf8-hash.ts'
import {
  PLACE_BYTES,
  PLACES_A_LINE,
  RECORD_HEADER_BYTES,
  recordBytes,
  SHORT_TEXT_BYTES,
  type TextKernels,
} from './ingest-kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Where era, and code and kind, stand in a place. */
const ERA_AT = 11
const KIND_WORD = 3
const KIND_SHIFT = 28
const CODE_MASK = 2 ** KIND_SHIFT - 1
const LONG = 13
const MISSING = 2 ** 32 - 1
/** Words of the struct `pool`. */
const [GIVEN, FREE, NEXT, PLACES, HELD] = [0, 1, 2, 3, 4]

type Table = Readonly<{ table: number; places: number }>
type Text = Readonly<{ from: number; length: number; hash: number }>

/** Twin of assembly/intern-texts.ts. */
export const internTexts = (views: () => MemoryViews): TextKernels => ({
  ...finding(views),
  ...moving(views),
})

/** Number of the place where the search for a hash begins: hash × (places / 4) / 2^32 × 4, in steps that doubles tell exactly. */
export function homeOf(hash: number, places: number): number {
  const [high, low, lines] = [hash >>> 16, hash & 65_535, places / PLACES_A_LINE]
  return Math.floor((high * lines + Math.floor((low * lines) / 65_536)) / 65_536) * PLACES_A_LINE
}
export const codeAt = ({ u32 }: MemoryViews, place: number): number => u32[place / 4 + KIND_WORD]! & CODE_MASK
export const isFree = ({ u32 }: MemoryViews, place: number): boolean => kindAt(u32, place) === 0

/** Where the bytes of the text in a place stand, and how many they are. */
export function textAt({ u32 }: MemoryViews, place: number): Readonly<{ from: number; length: number }> {
  const kind = kindAt(u32, place)
  if (kind !== LONG) return { from: place, length: kind - 1 }
  const record = u32[place / 4 + 1]!
  return { from: record + RECORD_HEADER_BYTES, length: u32[record / 4 + 1]! }
}

type Moving = 'moveTexts' | 'forgetTexts' | 'packTexts'

const finding = (views: () => MemoryViews): Omit<TextKernels, Moving> => ({
  hashTexts: (texts, ends, n, out) => {
    const { u8, u32 } = views()
    let records = 0
    for (let entry = 0; entry < n; entry++) {
      const { from, length } = boundsOf(u32, texts, ends, entry)
      u32[out / 4 + entry] = utf8Hash(u8, from, from + length)
      if (length > SHORT_TEXT_BYTES) records += recordBytes(length)
    }
    return records
  },
  findTexts: (texts, ends, hashes, n, table, places, era, out) => {
    const memory = views()
    const { u8, u32 } = memory
    for (let entry = 0; entry < n; entry++) {
      const text = { ...boundsOf(u32, texts, ends, entry), hash: u32[hashes / 4 + entry]! }
      const place = findPlace(memory, { table, places }, text)
      const held = !isFree(memory, place)
      if (held) u8[place + ERA_AT] = era
      u32[out / 4 + entry] = held ? codeAt(memory, place) : MISSING
    }
  },
  translateTexts: (texts, ends, hashes, found, entries, rows, n, era, table, places, pool, out) => {
    const memory = views()
    const { u32 } = memory
    for (let index = 0; index < n; index++) {
      const entry = u32[entries / 4 + u32[rows / 4 + index]!]!
      if (u32[found / 4 + entry] === MISSING) {
        const text = { ...boundsOf(u32, texts, ends, entry), hash: u32[hashes / 4 + entry]! }
        const place = findPlace(memory, { table, places }, text)
        if (isFree(memory, place)) addText(memory, pool, place, text, era)
        u32[found / 4 + entry] = codeAt(memory, place)
      }
      u32[out / 4 + index] = u32[found / 4 + entry]!
    }
  },
})

const moving = (views: () => MemoryViews): Pick<TextKernels, Moving> => ({
  moveTexts: (from, fromPlaces, to, toPlaces, pool) => {
    const memory = views()
    for (let place = from; place < from + fromPlaces * PLACE_BYTES; place += PLACE_BYTES) {
      if (!isFree(memory, place)) settle(memory, place, { table: to, places: toPlaces }, pool)
    }
  },
  forgetTexts: (table, places, below, by, pool) => {
    const memory = views()
    const { u8, u32 } = memory
    const state = u32.subarray(pool / 4)
    let place = table
    while (!isFree(memory, place)) place += PLACE_BYTES
    for (let step = 1; step < places; step++) {
      place = after(place, { table, places })
      if (isFree(memory, place)) continue
      if (u8[place + ERA_AT]! >= below) {
        u8[place + ERA_AT] = Math.max(0, u8[place + ERA_AT]! - by)
        settle(memory, place, { table, places }, pool)
        continue
      }
      const code = codeAt(memory, place)
      u32[state[PLACES]! / 4 + code] = state[FREE]! * 2 + 1
      state[FREE] = code + 1
      state[HELD]! -= 1
      u8.fill(0, place, place + PLACE_BYTES)
    }
  },
  packTexts: (from, end, pool) => {
    const { u8, u32 } = views()
    let to = from
    for (let record = from; record < end; ) {
      const bytes = recordBytes(u32[record / 4 + 1]!)
      const place = u32[u32[pool / 4 + PLACES]! / 4 + u32[record / 4]!]!
      if (place % 2 === 0) {
        u8.copyWithin(to, record, record + bytes)
        u32[place / 4 + 1] = to
        to += bytes
      }
      record += bytes
    }
    return to
  },
})

const kindAt = (u32: Uint32Array, place: number): number => u32[place / 4 + KIND_WORD]! >>> KIND_SHIFT

function after(place: number, { table, places }: Table): number {
  const next = place + PLACE_BYTES
  return next === table + places * PLACE_BYTES ? table : next
}

function boundsOf(u32: Uint32Array, texts: number, ends: number, entry: number): Omit<Text, 'hash'> {
  const from = entry === 0 ? 0 : u32[ends / 4 + entry - 1]!
  return { from: texts + from, length: u32[ends / 4 + entry]! - from }
}

/** The text's place, or the free one where it belongs. */
function findPlace(memory: MemoryViews, table: Table, { from, length, hash }: Text): number {
  let place = table.table + homeOf(hash, table.places) * PLACE_BYTES
  for (; !isFree(memory, place); place = after(place, table)) {
    const held = textAt(memory, place)
    if (held.length === length && areEqual(memory.u8, held.from, from, length)) break
  }
  return place
}

function areEqual(u8: Uint8Array, left: number, right: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (u8[left + at] !== u8[right + at]) return false
  return true
}

function addText({ u8, u32 }: MemoryViews, pool: number, place: number, text: Text, era: number): void {
  const { from, length, hash } = text
  const state = u32.subarray(pool / 4)
  let code = state[FREE]! - 1
  if (code < 0) code = state[GIVEN]!++
  else state[FREE] = u32[state[PLACES]! / 4 + code]! >>> 1
  u32[state[PLACES]! / 4 + code] = place
  state[HELD]! += 1
  const isLong = length > SHORT_TEXT_BYTES
  u8.fill(0, place, place + PLACE_BYTES)
  if (isLong) {
    const record = state[NEXT]!
    state[NEXT] = record + recordBytes(length)
    u8.fill(0, state[NEXT]! - 4, state[NEXT])
    u32.set([code, length], record / 4)
    u8.copyWithin(record + RECORD_HEADER_BYTES, from, from + length)
    u32.set([hash, record], place / 4)
  } else u8.copyWithin(place, from, from + length)
  u8[place + ERA_AT] = era
  u32[place / 4 + KIND_WORD] = (isLong ? LONG : length + 1) * 2 ** KIND_SHIFT + code
}

/** Takes what a place holds out of it and puts it into the first free one from its home on. */
function settle(memory: MemoryViews, place: number, table: Table, pool: number): void {
  const { u8, u32 } = memory
  const held = u8.slice(place, place + PLACE_BYTES)
  const { from, length } = textAt(memory, place)
  const isLong = kindAt(u32, place) === LONG
  const hash = isLong ? u32[place / 4]! : utf8Hash(u8, from, from + length)
  const isOwn = place >= table.table && place < table.table + table.places * PLACE_BYTES
  if (isOwn) u8.fill(0, place, place + PLACE_BYTES)
  let target = table.table + homeOf(hash, table.places) * PLACE_BYTES
  while (!isFree(memory, target)) target = after(target, table)
  u8.set(held, target)
  u32[u32[pool / 4 + PLACES]! / 4 + codeAt(memory, target)] = target
}
