import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SUM_SCRATCH } from './fixed-sums.ts'
import { PAIRS_A_STEP } from './fold-kernels.ts'
import {
  CONDENSE_SCRATCH_BYTES,
  FEW_GROUPS_SCRATCH_BYTES,
  KERNEL_COMPARE,
  KEY_CELL_BYTES,
  type KernelCompare,
  type Kernels,
  REGISTER_BLOCK_BYTES,
  SUM_KEY_BYTES,
  SUM_KEY_OF_TIME,
  sumWorkBytes,
} from './kernels.ts'
import { loadKernels } from './load-kernels.ts'
import { referenceKernels } from './reference-kernels.ts'

/*
 * Every kernel against its twin, bit for bit over the whole memory: each runs over its own copy of the same bytes, and
 * afterwards the memories must be equal everywhere but in what the call leaves undefined. So a write outside an output
 * is found as well: the memory around it holds random bytes, which both must leave alone.
 */
const ROWS_MAX = 3_000
const PAGES = 64
const makeMemory = (): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: PAGES, maximum: 65_536, shared: true })
const memories = [makeMemory(), makeMemory()] as const
const [ours, twin] = [loadKernels(memories[0]), referenceKernels(memories[1])]

/** A random layout in one memory: blocks at multiples of 16, with gaps between them, over random bytes. */
class Arena {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  #next: number
  #gap: number
  #state: number
  constructor(seed: number) {
    this.bytes = new Uint8Array(memories[0].buffer as SharedArrayBuffer)
    this.#state = seed | 1
    this.#gap = 16 * (1 + (seed & 3))
    this.#next = 16 * (1 + ((seed >>> 2) & 63))
    const words = new Uint32Array(memories[0].buffer, 0, 1 << 16)
    for (let index = 0; index < words.length; index++) words[index] = this.random()
  }
  /** xorshift32: the bytes between and behind the columns. */
  random(): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return this.#state >>> 0
  }
  /** Below `limit`. */
  below(limit: number): number {
    return Math.floor((this.random() / 2 ** 32) * limit)
  }
  place(bytes: number): number {
    const at = this.#next
    this.#next += Math.ceil(bytes / 16) * 16 + this.#gap
    assert.ok(this.#next < PAGES * 65_536, 'the test memory is too small')
    return at
  }
  f64(n: number, value: (row: number) => number): number {
    const at = this.place(n * 8)
    new Float64Array(this.bytes.buffer, at, n).forEach((_, row, all) => {
      all[row] = value(row)
    })
    return at
  }
  codes(width: 8 | 16 | 32, n: number, value: (row: number) => number): number {
    const at = this.place((n * width) / 8)
    const { buffer } = this.bytes
    const all =
      width === 8
        ? new Uint8Array(buffer, at, n)
        : width === 16
          ? new Uint16Array(buffer, at, n)
          : new Uint32Array(buffer, at, n)
    for (let row = 0; row < n; row++) all[row] = value(row)
    return at
  }
  /** Clear up to its padding; `share` of 8 of the rows are set, clustered by bytes when `share` is 9. */
  bitmap(n: number, share: number): number {
    const size = Math.ceil(n / 128) * 16
    const at = this.place(size)
    this.bytes.fill(0, at, at + size)
    for (let row = 0; row < n; row++) {
      const set = share === 9 ? ((row >>> 7) ^ (row >>> 9)) & 1 : this.below(8) < share
      if (set) this.bytes[at + (row >>> 3)]! |= 1 << (row & 7)
    }
    return at
  }
  /** 0 = absent for share 10. */
  selection(n: number, share: number): number {
    return share === 10 ? 0 : this.bitmap(n, share)
  }
}

/** Runs `call` over both memories; `undefinedBytes` names what the two may leave differently. */
function bothAgree(
  arena: Arena,
  call: (kernels: Kernels) => number | undefined,
  undefinedBytes: (result: number) => ReadonlyArray<readonly [at: number, bytes: number]> = () => [],
): number | undefined {
  const theirs = new Uint8Array(memories[1].buffer)
  theirs.set(arena.bytes)
  const results = [call(ours), call(twin)]
  assert.equal(results[0], results[1], 'returned')
  for (const [at, bytes] of undefinedBytes(results[0] ?? 0)) {
    arena.bytes.fill(0, at, at + bytes)
    theirs.fill(0, at, at + bytes)
  }
  const [a, b] = [
    Buffer.from(memories[0].buffer as ArrayBuffer),
    Buffer.from(memories[1].buffer as ArrayBuffer),
  ]
  if (!a.equals(b)) {
    const at = a.findIndex((byte, index) => byte !== b[index])
    assert.fail(`the memories differ from byte ${at} on: ${a.subarray(at & ~7, (at & ~7) + 24).toString('hex')}
      against ${b.subarray(at & ~7, (at & ~7) + 24).toString('hex')}`)
  }
  return results[0]
}

const rows = fc.oneof(fc.integer({ min: 0, max: 140 }), fc.integer({ min: 0, max: ROWS_MAX }))
/** More than a block of assembly/stream-row.ts, with a rest behind it. */
const streamedRows = fc.integer({ min: 16_384, max: 34_000 })
const seed = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const share = fc.integer({ min: 0, max: 10 })
/** How values are spread: alike, integers, many exponents, single giants, up to overflow, all zeros of both signs. */
const spread = fc.constantFrom('decimals', 'exponents', 'giant', 'overflow', 'zeros', 'shrinking')

function someValue(arena: Arena, how: string, row: number): number {
  const sign = arena.below(2) === 0 ? 1 : -1
  if (how === 'zeros') return sign * 0
  const value = (sign * arena.random()) / 1_000
  if (how === 'exponents') return value * 2 ** (arena.below(200) - 100)
  if (how === 'giant' && arena.below(700) === 0) return value * 1e200
  if (how === 'overflow') return sign * Number.MAX_VALUE * (arena.below(4) / 4)
  if (how === 'shrinking') return value * 2 ** -(row >>> 5)
  return value
}

function property(name: string, ...body: Parameters<typeof check>): void {
  test(`kernels: ${name}`, () => check(...body))
}
function check(run: (arena: Arena, n: number, share: number, how: string) => void): void {
  fc.assert(
    fc.property(seed, rows, share, spread, (start, n, part, how) => run(new Arena(start), n, part, how)),
    { numRuns: 150 },
  )
  fc.assert(
    fc.property(seed, streamedRows, share, spread, (start, n, part, how) =>
      run(new Arena(start), n, part, how),
    ),
    { numRuns: 8 },
  )
}

property('select f64', (arena, n, _, how) => {
  const values = arena.f64(n, (row) => (arena.below(3) === 0 ? 7 : someValue(arena, how, row)))
  const out = arena.place(Math.ceil(n / 128) * 16)
  for (const op of Object.values(KERNEL_COMPARE) as KernelCompare[]) {
    bothAgree(arena, (k) => k.selectF64(op, values, n, 7, out) as undefined)
  }
  bothAgree(arena, (k) => k.selectF64Between(values, n, -1_000_000, 7, out) as undefined)
  bothAgree(arena, (k) => k.selectF64Between(values, n, 7, 8, out) as undefined)
})

property('select u32 between', (arena, n) => {
  const offsets = arena.codes(32, n, () => arena.random())
  const out = arena.place(Math.ceil(n / 128) * 16)
  const [low, high] = [arena.random(), arena.random()]
  for (const [from, to] of [
    [low, high],
    [0, high],
    [low, 0xffff_ffff],
    [0, 0xffff_ffff],
  ] as const) {
    bothAgree(arena, (k) => k.selectU32Between(offsets, n, from, to, out) as undefined)
  }
})

property('select codes', (arena, n) => {
  const verdicts = arena.codes(8, 256, () => arena.below(2))
  const out = arena.place(Math.ceil(n / 128) * 16)
  for (const width of [8, 16, 32] as const) {
    const codes = arena.codes(width, n, () => arena.below(arena.below(2) === 0 ? 4 : 256))
    const code = arena.below(4)
    bothAgree(arena, (k) => k[`selectCodeEqual${width}`](codes, n, code, out) as undefined)
    bothAgree(arena, (k) => k[`selectCodeEqual${width}`](codes, n, code + 65_536, out) as undefined)
    bothAgree(arena, (k) => k[`selectCodeIn${width}`](codes, n, verdicts, out) as undefined)
  }
})

property('bitmaps', (arena, n, part) => {
  const [a, b] = [arena.bitmap(n, Math.min(part, 9)), arena.bitmap(n, 4)]
  const out = arena.place(Math.ceil(n / 128) * 16)
  const list = arena.place(n * 4)
  bothAgree(arena, (k) => k.bitmapFill(n, out) as undefined)
  bothAgree(arena, (k) => k.bitmapAnd(a, b, n, out) as undefined)
  bothAgree(arena, (k) => k.bitmapOr(a, b, n, out) as undefined)
  bothAgree(arena, (k) => k.bitmapNot(a, n, out) as undefined)
  const count = bothAgree(arena, (k) => k.bitmapCount(out, n))
  assert.equal(
    bothAgree(arena, (k) => k.bitmapRows(out, n, list)),
    count,
  )
})

property('aggregates of f64', (arena, n, part, how) => {
  const values = arena.f64(n, (row) => someValue(arena, how, row))
  const selection = arena.selection(n, part)
  const sum = arena.f64(3, () => 0)
  const ends = arena.f64(3, (cell) => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0][cell]!)
  for (let chunk = 0; chunk < 2; chunk++) {
    bothAgree(arena, (k) => k.sumF64(values, n, selection, sum) as undefined)
    bothAgree(arena, (k) => k.minMaxF64(values, n, selection, ends) as undefined)
  }
})

const isSelected = (arena: Arena, selection: number, row: number): boolean =>
  selection === 0 || ((arena.bytes[selection + (row >>> 3)]! >>> (row & 7)) & 1) === 1

const anyInteger = (arena: Arena): number => {
  const most = [10, 2 ** 33, Number.MAX_SAFE_INTEGER][arena.below(3)]!
  return (
    (arena.below(2) === 0 ? 1 : -1) *
    (most - Math.floor((arena.random() / 2 ** 32) * Math.min(most, 2 ** 40)))
  )
}

property('exact sums of integers', (arena, n, part) => {
  const values = arena.f64(n, () => anyInteger(arena))
  const selection = arena.selection(n, part)
  const state = arena.f64(3, () => 0)
  const groups = arena.codes(32, n, () => arena.below(9))
  const states = arena.f64(27, () => 0)
  bothAgree(arena, (k) => k.sumI64(values, n, selection, state) as undefined)
  bothAgree(arena, (k) => k.sumI64(values, n, selection, state) as undefined)
  bothAgree(arena, (k) => k.groupSumI64(values, groups, n, selection, states) as undefined)
  // Both against integers without a limit.
  const cells = new BigInt64Array(arena.bytes.buffer)
  const total = (at: number) => (cells[at / 8]! << 32n) + cells[at / 8 + 1]!
  let [wanted, count] = [0n, 0n]
  for (let row = 0; row < n; row++) {
    if (!isSelected(arena, selection, row)) continue
    wanted += BigInt(new Float64Array(arena.bytes.buffer)[values / 8 + row]!)
    count++
  }
  let byGroup = 0n
  for (let group = 0; group < 9; group++) byGroup += total(states + 24 * group)
  assert.equal(total(state), 2n * wanted)
  assert.equal(cells[state / 8 + 2], 2n * count)
  assert.equal(byGroup, wanted)
})

property('group numbers', (arena, n, part) => {
  const validity = arena.selection(n, part)
  const out = arena.place(n * 4)
  for (const width of [8, 16, 32] as const) {
    const codes = arena.codes(width, n, () => arena.below(256))
    bothAgree(arena, (k) => k[`groupInit${width}`](codes, validity, n, 77, out) as undefined)
    bothAgree(arena, (k) => k[`groupExtend${width}`](codes, validity, n, 1, 78, out) as undefined)
  }
})

property('group numbers of time', (arena, n) => {
  const bucket =
    1 + Math.floor(arena.below(2 ** 32) * [2 ** -31, 2 ** -20, 2 ** -10, 1, 2 ** 21][arena.below(5)]!)
  // Short buckets may begin far before the offsets do; quotients beyond 32 bits keep their low ones.
  const before = bucket < 2 ** 32 ? arena.below(Math.floor(Math.min(2 ** 31, 2 ** 49 / bucket))) : 0
  const inside = Math.floor((arena.random() / 2 ** 32) * bucket)
  const shift = before * bucket + inside
  const offsets = arena.codes(32, n, () => {
    // Mostly beside a boundary, where a rounding would show.
    const near = arena.below(1 + Math.floor(2 ** 32 / bucket)) * bucket - inside + arena.below(3) - 1
    return near >= 0 && near < 2 ** 32 ? near : arena.random()
  })
  const out = arena.place(n * 4)
  bothAgree(arena, (k) => k.groupTimesInit(offsets, n, shift, bucket, out) as undefined)
  const [from, to] = [new Uint32Array(arena.bytes.buffer, offsets), new Uint32Array(arena.bytes.buffer, out)]
  for (let row = 0; row < n; row++) {
    assert.equal(BigInt(to[row]!), BigInt.asUintN(32, (BigInt(from[row]!) + BigInt(shift)) / BigInt(bucket)))
  }
  bothAgree(arena, (k) => k.groupTimesExtend(offsets, n, shift, bucket, 31, out) as undefined)
})

property('aggregates by group', (arena, n, part, how) => {
  const values = arena.f64(n, (row) => someValue(arena, how, row))
  const groups = arena.codes(32, n, () => arena.below(arena.below(2) === 0 ? 3 : 500))
  const selection = arena.selection(n, part)
  const counts = arena.f64(500, () => 0)
  const sums = arena.f64(1_500, () => 0)
  const ends = arena.f64(1_500, (cell) => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0][cell % 3]!)
  bothAgree(arena, (k) => k.groupCount(groups, n, selection, counts) as undefined)
  bothAgree(arena, (k) => k.groupSumF64(values, groups, n, selection, sums) as undefined)
  bothAgree(arena, (k) => k.groupMinMaxF64(values, groups, n, selection, ends) as undefined)
})

property('few groups', (arena, n, part, how) => {
  const values = arena.f64(n, (row) => someValue(arena, how, row))
  const limit = [1, 8, 256][arena.below(3)]!
  const codes = arena.codes(8, n, () => arena.below(limit))
  const selection = arena.selection(n, part)
  const scratch = arena.place(FEW_GROUPS_SCRATCH_BYTES)
  const skipped = () => [[scratch, FEW_GROUPS_SCRATCH_BYTES]] as const
  const counts = arena.f64(256, () => 0)
  const states = arena.f64(768, () => 0)
  for (let chunk = 0; chunk < 2; chunk++) {
    bothAgree(arena, (k) => k.countBy8(codes, n, selection, counts, scratch) as undefined, skipped)
    bothAgree(arena, (k) => k.sumF64By8(values, codes, n, selection, states, scratch) as undefined, skipped)
  }
})

property('sums in fixed point, by keys', (arena, n, part, how) => {
  const step = arena.below(3)
  const values = arena.f64(n, (row) => {
    if (step === 0) return someValue(arena, how, row)
    // Of one size, but for some in a row: these ask for another bound.
    return someValue(arena, 'decimals', row) * (step === 1 && row % 900 > 700 ? 2 ** -40 : 1)
  })
  const selection = arena.selection(n, part)
  const codes = [8, 16, 32].map((width) => arena.codes(width as 8, n, () => arena.below(5)))
  const times = arena.codes(32, n, () => arena.below(900))
  const kinds = [1, 2, 4, SUM_KEY_OF_TIME]
  const count = 1 + arena.below(3)
  const keys = arena.place(count * SUM_KEY_BYTES)
  const words = new Uint32Array(arena.bytes.buffer)
  for (let key = 0; key < count; key++) {
    const kind = arena.below(4)
    words.set([kinds[kind]!, codes[kind] ?? times, 9], (keys + key * SUM_KEY_BYTES) / 4)
    new Float64Array(arena.bytes.buffer).set([7, 101], (keys + key * SUM_KEY_BYTES) / 8 + 2)
  }
  const cells = 9 ** 3
  const [work, states] = [arena.place(sumWorkBytes(cells)), arena.f64(3 * cells, () => 0)]
  arena.bytes.fill(0, work, work + sumWorkBytes(cells))
  const skipped = () => [[work + SUM_SCRATCH.at, SUM_SCRATCH.bytes]] as const
  const add = (k: Kernels) => k.sumF64ByKeys(values, keys, count, n, selection, 0, cells, work, states)
  // Five chunks of 65,536 rows are more than cells hold: the kernel settles them in between.
  for (let chunk = 0; chunk < (n > 30_000 ? 9 : 2); chunk++)
    bothAgree(arena, (k) => add(k) as undefined, skipped)
  bothAgree(arena, (k) => k.settleSums(work, states) as undefined, skipped)
  const held = new Float64Array(arena.bytes.buffer, states, 3 * cells)
  const selected = Array.from({ length: n }, (_, row) => row).filter((row) =>
    isSelected(arena, selection, row),
  )
  assert.equal(
    held.reduce((sum, value, at) => (at % 3 === 2 ? sum + value : sum), 0),
    selected.length * (n > 30_000 ? 9 : 2),
  )
  assert.ok(new Uint8Array(arena.bytes.buffer, work + 512, 16 * cells).every((byte) => byte === 0))
})

property('rows of a bitmap with one code', (arena, n, part) => {
  const kept = arena.bitmap(n, Math.min(part, 9))
  const before = arena.bytes.slice(kept, kept + Math.ceil(n / 8))
  for (const width of [32, 16, 8] as const) {
    const codes = arena.codes(width, n, () => arena.below(3))
    bothAgree(arena, (k) => k[`keepCodeEqual${width}`](codes, n, 1, kept) as undefined)
  }
  assert.ok(before.every((byte, at) => (arena.bytes[kept + at]! & ~byte) === 0))
})

property('registers by group', (arena, n, part, how) => {
  const values = arena.f64(n, (row) => (arena.below(3) === 0 ? arena.below(9) : someValue(arena, how, row)))
  const entries = arena.place(n * 4)
  bothAgree(arena, (k) => k.entriesOfF64(values, n, entries) as undefined)
  const groups = arena.codes(32, n, () => arena.below(5))
  const selection = arena.selection(n, part)
  const [sparse, dense] = [arena.place(REGISTER_BLOCK_BYTES), arena.place(REGISTER_BLOCK_BYTES)]
  // One block with a few registers raised, one that is nearly full of other entries.
  for (const block of [sparse, dense]) arena.bytes.fill(0, block, block + REGISTER_BLOCK_BYTES)
  for (let register = 0; register < 999; register++)
    arena.bytes[dense + arena.below(16_384)] = arena.below(40)
  const places = new Uint32Array(arena.bytes.buffer, sparse, 4_096)
  if (arena.below(2) === 0) places.forEach((_, at) => { places[at] = arena.below(20) === 0 ? 0 : arena.random() }) // biome-ignore format: one line
  const blocks = arena.codes(32, 5, (group) => [0, sparse, dense + 1, sparse, dense + 1][group]!)
  const rest = arena.codes(32, n, () => 0)
  const texts = arena.codes(32, 256, (code) => (code % 5 === 0 ? 0 : new Uint32Array(arena.bytes.buffer)[entries / 4 + (code % Math.max(1, n))]!)) // biome-ignore format: one line
  for (const by of [groups, 0]) {
    bothAgree(arena, (k) => k.raiseRegisters(entries, by, n, selection, blocks, rest))
    for (const width of [8, 16, 32] as const) {
      const codes = arena.codes(width, n, () => arena.below(256))
      bothAgree(arena, (k) => k[`raiseRegisters${width}`](codes, by, n, selection, texts, blocks, rest))
    }
  }
})

property('values by group, and as centroids', (arena, n, part, how) => {
  const step = arena.below(3)
  const values = arena.f64(n, (row) => {
    if (step === 0) return arena.below(9) / 4 - 1
    if (step === 1 && arena.below(99) === 0) return someValue(arena, 'exponents', row)
    return step === 1 ? 1_000 + arena.below(50) : someValue(arena, how, row)
  })
  const groups = arena.codes(32, n, () => arena.below(5))
  const selection = arena.selection(n, part)
  const [ends, out] = [arena.codes(32, 5, () => 0), arena.f64(n, () => 0)]
  const scratch = arena.place(CONDENSE_SCRATCH_BYTES)
  const centroids = arena.f64(2 * n + 2, () => 0)
  for (const by of [groups, 0]) {
    const count = by === 0 ? 1 : 5
    bothAgree(arena, (k) => k.groupValues(values, by, n, selection, count, ends, out) as undefined)
    let from = 0
    for (const end of new Uint32Array(arena.bytes.buffer, ends, count)) {
      if (end > from) condensed(arena, out + from * 8, end - from, centroids, scratch)
      from = end
    }
  }
})

/** One run: alike, ascending, of all its values, from the least to the greatest. */
function condensed(arena: Arena, values: number, n: number, out: number, scratch: number): void {
  const skipped = () =>
    [
      [scratch, CONDENSE_SCRATCH_BYTES],
      [out, 16],
    ] as const
  const count = bothAgree(arena, (k) => k.condenseValues(values, n, out, scratch), skipped)!
  const sorted = new Float64Array(arena.bytes.buffer, values, n).slice().sort()
  const pairs = new Float64Array(arena.bytes.buffer, out + 16, 2 * count)
  let [before, mean] = [0, Number.NEGATIVE_INFINITY]
  for (let at = 0; at < pairs.length; at += 2) {
    const weight = pairs[at + 1]!
    assert.ok(pairs[at]! >= mean)
    mean = pairs[at]!
    assert.ok(mean >= sorted[before]! && mean <= sorted[before + weight - 1]!, `${mean} of ${weight}`)
    before += weight
  }
  assert.equal(before, n)
  assert.deepEqual([pairs[0], mean], [sorted[0]! + 0, sorted[n - 1]! + 0])
}

property('first and last rows by group', (arena, n, part) => {
  const times = arena.codes(32, n, () => (arena.below(2) === 0 ? arena.below(9) : arena.random()))
  const groups = arena.codes(32, n, () => arena.below(7))
  const selection = arena.selection(n, part)
  const touched = arena.codes(32, n, () => 0)
  for (const last of [0, 1] as const) {
    for (const by of [groups, 0]) {
      const ends = arena.f64(7, () => 0)
      const count = bothAgree(arena, (k) => k.groupEndRows(last, times, by, n, selection, ends, touched))!
      const places = new BigUint64Array(arena.bytes.buffer, ends, 7)
      assert.equal(
        count,
        places.reduce((sum, place) => sum + Number(place !== 0n), 0),
      )
      const time = (row: number) => new Uint32Array(arena.bytes.buffer)[times / 4 + row]!
      for (const [group, place] of places.entries()) {
        const rows = Array.from({ length: n }, (_, row) => row).filter(
          (row) =>
            isSelected(arena, selection, row) &&
            (by === 0 ? 0 : new Uint32Array(arena.bytes.buffer)[by / 4 + row]!) === group,
        )
        if (rows.length === 0) {
          assert.equal(place, 0n)
          continue
        }
        const wins = (a: number, b: number) =>
          last === 1 ? time(a) >= time(b) : time(a) < time(b) || (time(a) === time(b) && a < b)
        const winner = rows.reduce((best, row) => (wins(row, best) ? row : best))
        const key = (BigInt(time(winner)) << 32n) + BigInt(winner + 1)
        assert.equal(place, last === 1 ? key : 2n ** 64n - 1n - key)
      }
    }
  }
})

property('numbers for keys, growing the table', (arena, n, part) => {
  const spreadOfKeys = [5, 300, 2 ** 32][arena.below(3)]!
  const [low, high] = [
    arena.codes(32, n, () => arena.below(spreadOfKeys)),
    arena.codes(32, n, () => arena.below(3)),
  ]
  const keys = arena.place(n * 8)
  bothAgree(arena, (k) => k.pairKeys(low, high, n, keys) as undefined)
  const selection = arena.selection(n, part)
  const out = arena.codes(32, n, () => 0)
  const used = arena.codes(32, 1, () => 0)
  const tables = [16, 256, 65_536].map((cells) => [cells - 1, arena.place(cells * KEY_CELL_BYTES)] as const)
  for (const [mask, at] of tables) arena.bytes.fill(0, at, at + (mask + 1) * KEY_CELL_BYTES)
  let done = 0
  for (const [step, [mask, table]] of tables.entries()) {
    const [oldMask, oldTable] = tables[step - 1] ?? [0, 0]
    if (step > 0) bothAgree(arena, (k) => k.rehashKeys(oldTable, oldMask, table, mask) as undefined)
    const call = (k: Kernels) => k.numberKeys(keys, n, selection, table, mask, used, out)
    const consumed = bothAgree(arena, call, (result) =>
      Array.from({ length: n }, (_, row) => [out + row * 4, 4] as const).filter(
        (_, row) => row >= result || !isSelected(arena, selection, row),
      ),
    )!
    assert.ok(consumed >= done)
    done = consumed
    if (done === n) break
  }
  assert.equal(done, n)
  // Equal keys have equal numbers, in order of appearance.
  const numbers = new Map<bigint, number>()
  for (let row = 0; row < n; row++) {
    if (!isSelected(arena, selection, row)) continue
    const key = new BigUint64Array(arena.bytes.buffer)[keys / 8 + row]!
    if (!numbers.has(key)) numbers.set(key, numbers.size)
    assert.equal(new Uint32Array(arena.bytes.buffer)[out / 4 + row], numbers.get(key))
  }
})

property('numbers for pairs, up to a limit', (arena, n) => {
  const [firstCount, width] = [1 + arena.below(30), 1 + arena.below(30)]
  const firsts = arena.codes(32, n, () => arena.below(firstCount))
  const seconds = arena.codes(32, n, () => arena.below(width))
  const limit = arena.below(2) === 0 ? firstCount * width : arena.below(40)
  const table = arena.place(firstCount * width * 4)
  bothAgree(arena, (k) => k.fillF64(table, Math.ceil((firstCount * width) / 2), 0) as undefined)
  const [used, out] = [arena.codes(32, 1, () => 0), arena.place(n * 4)]
  const pairs = arena.place((limit + PAIRS_A_STEP) * 8)
  const words = new Uint32Array(arena.bytes.buffer)
  bothAgree(
    arena,
    (k) => k.numberPairs(firsts, seconds, n, width, table, limit, used, pairs, out) as undefined,
    () => [[pairs + words[used / 4]! * 8, 8]],
  )
  const numbers = new Map<number, number>()
  let row = 0
  for (; row < n && (row % PAIRS_A_STEP > 0 || numbers.size <= limit); row++) {
    const pair = words[firsts / 4 + row]! * width + words[seconds / 4 + row]!
    if (!numbers.has(pair)) numbers.set(pair, numbers.size)
    assert.equal(words[out / 4 + row], numbers.get(pair))
  }
  assert.equal(words[used / 4], numbers.size)
  const named = Array.from(numbers.keys(), (pair) => [Math.floor(pair / width), pair % width])
  assert.deepEqual([...words.subarray(pairs / 4, pairs / 4 + 2 * numbers.size)], named.flat())
})

property('columns of cells', (arena, n, part, how) => {
  const values = arena.f64(n, (row) => someValue(arena, how, row))
  const integers = arena.f64(n, () => anyInteger(arena))
  const groups = arena.codes(32, n, () => arena.below(arena.below(2) === 0 ? 3 : 500))
  const selection = arena.selection(n, part)
  const [sums, rests, counts, highs, lows, mins, maxs] = Array.from({ length: 7 }, () => arena.place(500 * 8))
  bothAgree(arena, (k) => {
    for (const at of [sums, rests, counts, highs, lows]) k.fillF64(at!, 500, 0)
    k.fillF64(mins!, 500, Number.POSITIVE_INFINITY)
    k.fillF64(maxs!, 500, Number.NEGATIVE_INFINITY)
    k.cellAddF64(integers, groups, n, counts!)
    k.cellSumF64(values, groups, n, selection, sums!, rests!)
    k.cellSumI64(integers, groups, n, selection, highs!, lows!)
    k.cellMinMaxF64(integers, values, groups, n, selection, mins!, maxs!)
    return undefined
  })
  // Beside the kernels that keep a state a group, and integers without a limit.
  const doubles = new Float64Array(arena.bytes.buffer)
  const states = arena.f64(1_500, () => 0)
  ours.groupSumF64(values, groups, n, selection, states)
  let [wanted, total] = [0n, 0n]
  for (let row = 0; row < n; row++)
    if (isSelected(arena, selection, row)) wanted += BigInt(doubles[integers / 8 + row]!)
  for (let cell = 0; cell < 500; cell++) {
    assert.ok(Object.is(doubles[sums! / 8 + cell], doubles[states / 8 + 3 * cell]))
    assert.ok(Object.is(doubles[rests! / 8 + cell], doubles[states / 8 + 3 * cell + 1]))
    const low = doubles[lows! / 8 + cell]!
    assert.ok(low >= 0 && low < 2 ** 32)
    total += (BigInt(doubles[highs! / 8 + cell]!) << 32n) + BigInt(low)
  }
  assert.equal(total, wanted)
})
