import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import fc from 'fast-check'
import { utf8Hash } from '../hashing/utf8-hash.ts'
import {
  ID_LINE_BYTES,
  ID_LINE_PLACES,
  ID_RING_BYTES,
  POOL_BYTES,
  recordBytes,
  SHORT_TEXT_BYTES,
} from './ingest-kernels.ts'
import type { Kernels } from './kernels.ts'
import { loadKernels } from './load-kernels.ts'
import { referenceKernels } from './reference-kernels.ts'

/*
 * Every kernel of the way in against its twin: each runs over its own copy of the same random bytes, and afterwards the
 * memories must be equal everywhere, so that a write beside an output is found as well as a wrong bit.
 */
const PAGES = 8
const makeMemory = (): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true })
const memories = [makeMemory(), makeMemory()] as const
const both = [loadKernels(memories[0]), referenceKernels(memories[1])] as const
const bytes = new Uint8Array(memories[0].buffer)

/** Room for things, one behind the other with gaps; the first memory begins with random bytes. */
class Room {
  private at = 512
  private state: number
  constructor(seed: number) {
    this.state = seed | 1
    const words = new Uint32Array(memories[0].buffer)
    for (let index = 0; index < words.length; index++) words[index] = this.random()
  }
  /** xorshift32 (Marsaglia 2003, p. 4). */
  random(): number {
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return this.state >>> 0
  }
  take(size: number): number {
    const { at } = this
    this.at += Math.ceil(size / 16) * 16 + 32
    assert.ok(this.at < bytes.length)
    return at
  }
  put(values: Uint8Array | Uint32Array | Float64Array): number {
    const at = this.take(values.byteLength)
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at)
    return at
  }
  rows(rowCount: number, count: number): number {
    return this.put(Uint32Array.from({ length: count }, () => this.random() % rowCount))
  }
}

/** Runs both forms on equal memories; answers what they answer. */
function agree<T>(run: (kernels: Kernels) => T): T {
  new Uint8Array(memories[1].buffer).set(bytes)
  const [ours, twin] = both.map(run)
  assert.equal(ours, twin)
  assert.equal(Buffer.compare(bytes, new Uint8Array(memories[1].buffer)), 0, 'the memories differ')
  return ours as T
}
const property = (name: string, run: (room: Room, count: number, rowCount: number) => void): void => {
  test(`ingest kernels: ${name}`, () => {
    const any = [fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 700 }), fc.integer({ min: 1, max: 900 })] as const // biome-ignore format: one line
    fc.assert(fc.property(...any, (seed, count, rowCount) => run(new Room(seed), count, rowCount)))
  })
}
/** Integers below 2^53, some beyond 2^32. */
const integers = (room: Room, count: number): Float64Array =>
  Float64Array.from({ length: count }, () => (room.random() % 2 ** 20) * 2 ** 32 + room.random())

property('rows side by side', (room, count, rowCount) => {
  const rows = room.rows(rowCount, count)
  const source = room.take(rowCount * 16)
  const out = room.take(count * 16)
  agree((k) => k.takeBytes(source, rows, count, out))
  agree((k) => k.takeDoubles(source, rows, count, out))
  agree((k) => k.takeIds(source, rows, count, out))
  agree((k) => k.copyBytes(source, out, Math.min(count, rowCount) * 16))
  agree((k) => k.clearBytes(out + (count % 16), count))
  for (const width of [1, 2, 4]) agree((k) => k.narrowCodes(source, Math.min(count, rowCount), width, out))
  const base = (room.random() % 2 ** 20) * 2 ** 32
  const near = room.put(Float64Array.from({ length: rowCount }, () => base + room.random()))
  agree((k) => k.takeOffsets(near, rows, count, base, out))
  const offsets = new Uint32Array(memories[0].buffer, out, count)
  const [numbers, named] = [new Float64Array(memories[0].buffer, near, rowCount), new Uint32Array(memories[0].buffer, rows, count)] // biome-ignore format: one line
  for (const [index, row] of named.entries()) assert.equal(base + (offsets[index] ?? 0), numbers[row])
})

property('extremes of rows', (room, count, rowCount) => {
  const rows = room.rows(rowCount, count)
  const values = integers(room, rowCount)
  const source = room.put(values)
  const state = room.put(Float64Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY))
  agree((k) => k.takeExtremes(source, rows, count, state))
  const taken = [...new Uint32Array(memories[0].buffer, rows, count)].map((row) => values[row] ?? 0)
  assert.deepEqual(
    [...new Float64Array(memories[0].buffer, state, 2)],
    [Math.min(...taken), Math.max(...taken)],
  )
})

property('bits of rows', (room, count, rowCount) => {
  const rows = room.rows(rowCount, count)
  const source = room.take(Math.ceil(rowCount / 8))
  const at = room.random() % 40
  const out = room.put(new Uint8Array(Math.ceil((count + at) / 8)))
  agree((k) => k.takeBits(source, rows, count, at, out))
  const set = (pointer: number, bit: number) => ((bytes[pointer + (bit >>> 3)] ?? 0) >>> (bit & 7)) & 1
  const named = new Uint32Array(memories[0].buffer, rows, count)
  for (const [index, row] of named.entries()) assert.equal(set(out, at + index), set(source, row))
  const ones = named.reduce((sum, row) => sum + set(source, row), 0)
  assert.equal(agree((k) => k.countBits(source, rows, count)), ones) // biome-ignore format: one line
  agree((k) => k.takeBits(0, rows, count, at, out))
  for (let index = 0; index < count; index++) assert.equal(set(out, at + index), 1)
})

property('digest of rows', (room, count, rowCount) => {
  const rows = room.rows(rowCount, count)
  const values = room.take(rowCount * 16)
  const validity = room.random() % 2 === 0 ? 0 : room.take(Math.ceil(rowCount / 8))
  const [mixed, digest] = [room.put(new Uint32Array(count)), room.take(8)]
  const codes = room.put(Uint32Array.from({ length: rowCount }, () => room.random() % 9))
  const hashes = room.take(9 * 4)
  agree((k) => k.mixIds(values, rows, count, mixed))
  agree((k) => k.mixDoubles(values, validity, rows, count, mixed))
  agree((k) => k.mixBytes(values, validity, rows, count, mixed))
  agree((k) => k.mixCodes(codes, hashes, validity, rows, count, mixed))
  agree((k) => k.foldRows(mixed, count, digest))
})

/** Ids of which many share a line and a tag. */
const anId = (room: Room): readonly number[] => [room.random() % 3, 0, 0, room.random() % 300]

property('ids judged, forgotten and entered again', (room, count, rowCount) => {
  const capacity = 1 + (room.random() % rowCount)
  const lineCount = Math.ceil((capacity * 1.1) / ID_LINE_PLACES)
  const [ids, words, verdicts] = [room.take(capacity * 16), room.take(count * 16), room.take(count)]
  const lines = Math.ceil(room.take((lineCount + 1) * ID_LINE_BYTES) / ID_LINE_BYTES) * ID_LINE_BYTES
  const ring = room.put(new Uint32Array(ID_RING_BYTES / 4))
  const state = new Uint32Array(memories[0].buffer, ring, ID_RING_BYTES / 4)
  const empty = () => bytes.fill(0, lines, lines + lineCount * ID_LINE_BYTES)
  state.set([ids, capacity, lines, lineCount, room.random() % capacity, 0, 0, 0])
  empty()
  const held: string[] = []
  for (let block = 0; block < 4; block++) {
    const rows = Array.from({ length: count }, () => anId(room))
    new Uint32Array(memories[0].buffer, words, count * 4).set(rows.flat())
    const given = Uint8Array.from(rows, () => (room.random() % 5 === 0 ? 2 : 0))
    bytes.set(given, verdicts)
    const from = room.random() % (count + 1)
    const next = agree((k) => k.admitIds(words, verdicts, from, count, block, ring))
    const expected = [...given]
    let row = from
    for (; row < count && held.length < capacity; row++) {
      if (given[row] !== 0) continue
      if (held.includes(`${rows[row]}`)) expected[row] = 1
      else held.push(`${rows[row]}`)
    }
    assert.deepEqual([next, state[5], ...bytes.slice(verdicts, verdicts + count)], [row, held.length, ...expected]) // biome-ignore format: one line
    const gone = room.random() % (held.length + 1)
    agree((k) => k.forgetIds(gone, ring))
    held.splice(0, gone)
    if (block % 2 === 0) continue
    empty()
    agree((k) => k.enterIds(ring))
  }
})

test('ingest kernels: an index of ids that come and go stays as good as a new one', () => {
  const room = new Room(7)
  const [capacity, lineCount, count, windows] = [2_000, 107, 200, 8] // 18.7 of 21 places taken.
  const [ids, words, verdicts] = [room.take(capacity * 16), room.take(count * 16), room.take(count)]
  const lines = Math.ceil(room.take((lineCount + 1) * ID_LINE_BYTES) / ID_LINE_BYTES) * ID_LINE_BYTES
  bytes.fill(0, lines, lines + lineCount * ID_LINE_BYTES)
  const ring = room.put(Uint32Array.of(ids, capacity, lines, lineCount, 0, 0, 0, 0))
  for (let block = 0; block < (windows * capacity) / count; block++) {
    const state = new Uint32Array(memories[0].buffer, ring, ID_RING_BYTES / 4)
    if (state[5] === capacity) agree((k) => k.forgetIds(count, ring))
    for (let row = 0; row < count * 4; row++) new Uint32Array(memories[0].buffer, words)[row] = room.random()
    bytes.fill(0, verdicts, verdicts + count)
    assert.equal(agree((k) => k.admitIds(words, verdicts, 0, count, 0, ring)), count) // biome-ignore format: one line
  }
  // A search goes on behind a line that has sent ids on.
  const sent = Array.from({ length: lineCount }, (_, line) => bytes[lines + line * ID_LINE_BYTES + ID_LINE_PLACES] ?? 0) // biome-ignore format: one line
  assert.ok(sent.filter((ids) => ids > 0).length <= lineCount * 0.05, `lines have sent on ${sent}`)
})

const PLACES = 1_900
/** Texts with many of one length, many that begin alike, the empty one, and some around the longest that a place takes. */
const textOf = (room: Room): string => {
  const number = room.random() % 400
  const texts = ['', `${number}`, `user-${number}`, `${'ä'.repeat(number % 30)}${number}`, 'x'.repeat(9 + (number % 5))] // biome-ignore format: one line
  return texts[room.random() % texts.length] ?? ''
}

property('texts found, added, moved and forgotten', (room, count) => {
  const pool = room.put(new Uint32Array(POOL_BYTES / 4))
  const table = room.put(new Uint32Array(PLACES * 4))
  const larger = room.put(new Uint32Array((PLACES + 100) * 4))
  const placesByCode = room.put(new Uint32Array(1_000))
  const segment = room.take(100_000)
  const words = (at: number, length: number) => new Uint32Array(memories[0].buffer, at, length)
  words(pool, 5).set([0, 0, segment, placesByCode, 0])
  const meaning = new Map<number, string>()
  const lastEra = new Map<string, number>()
  for (let era = 5; era <= 6; era++) {
    // The same text may stand in a dictionary twice.
    const texts = Array.from({ length: 1 + (room.random() % 150) }, () => textOf(room))
    const { bytes: utf8, ends } = Utf8Dictionary.of(texts)
    const [at, endsAt] = [room.put(utf8), room.put(ends)]
    const [hashes, found] = [room.take(texts.length * 4), room.take(texts.length * 4)]
    const entries = room.put(Uint32Array.from({ length: 700 }, () => room.random() % texts.length))
    const [rows, out] = [room.rows(700, count), room.take(count * 4)]
    const sizes = texts.map((text) => Buffer.byteLength(text)).filter((size) => size > SHORT_TEXT_BYTES)
    const records = sizes.reduce((sum, size) => sum + recordBytes(size), 0)
    assert.equal(agree((k) => k.hashTexts(at, endsAt, texts.length, hashes)), records) // biome-ignore format: one line
    const known = new Set(meaning.values())
    agree((k) => k.findTexts(at, endsAt, hashes, texts.length, table, PLACES, era, found))
    for (const text of texts) if (known.has(text)) lastEra.set(text, era)
    agree((k) => k.translateTexts(at, endsAt, hashes, found, entries, rows, count, era, table, PLACES, pool, out)) // biome-ignore format: one line
    const [codes, named, entry] = [out, rows, entries].map((from) => words(from, 700))
    for (let index = 0; index < count; index++) {
      const [code, text] = [codes?.[index] ?? -1, texts[entry?.[named?.[index] ?? 0] ?? 0] ?? '']
      assert.equal(meaning.get(code) ?? text, text)
      meaning.set(code, text)
      lastEra.set(text, era)
    }
    assert.equal(new Set(meaning.values()).size, meaning.size, 'a text has one code')
  }
  agree((k) => k.moveTexts(table, PLACES, larger, PLACES + 100, pool))
  agree((k) => k.forgetTexts(larger, PLACES + 100, 6, 4, pool))
  // WebAssembly answers signed numbers, but these addresses are small.
  const end = agree((k) => k.packTexts(segment, words(pool, 5)[2] ?? 0, pool))
  let [held, used] = [0, 0]
  for (const [code, text] of meaning) {
    const place = words(placesByCode, 1_000)[code] ?? 1
    assert.equal(place % 2 === 0, lastEra.get(text) === 6, 'what was not seen since is forgotten')
    if (place % 2 === 1) continue
    held += 1
    const size = Buffer.byteLength(text)
    const isLong = size > SHORT_TEXT_BYTES
    const [first, record = 0, , kind = 0] = words(place, 4)
    assert.deepEqual([kind % 2 ** 28, kind >>> 28, bytes[place + 11]], [code, isLong ? 13 : size + 1, 2])
    if (!isLong) {
      assert.equal(Buffer.from(bytes.slice(place, place + size)).toString(), text)
      continue
    }
    assert.equal(first, utf8Hash(Buffer.from(text), 0, size) >>> 0)
    assert.deepEqual([...words(record, 2)], [code, size])
    assert.equal(Buffer.from(bytes.slice(record + 8, record + 8 + size)).toString(), text)
    used += recordBytes(size)
  }
  assert.deepEqual([words(pool, 5)[4], end], [held, segment + used])
})
