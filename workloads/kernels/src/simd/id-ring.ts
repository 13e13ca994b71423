import { hashId } from '../duplicates/hash-id.ts'
import { ID_LINE_BYTES, ID_LINE_PLACES, type IdKernels } from './ingest-kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Where a line says how many ids it has sent on, and where its slots begin, in bytes and in u16. */
const SENT_AT = ID_LINE_PLACES
const SLOTS_AT = (ID_LINE_PLACES + 1) / 2
const SENT_MOST = 255
/** Words of the struct `ring`. */
const [IDS, CAPACITY, LINES, LINE_COUNT, START, HELD, SUM_A, SUM_B] = [0, 1, 2, 3, 4, 5, 6, 7]

type Lines = Readonly<{ at: number; count: number }>

/** Twin of assembly/id-ring.ts. */
export const idRing = (views: () => MemoryViews): IdKernels => ({
  admitIds: (words, verdicts, from, n, mix, ring) => {
    const memory = views()
    const { u8, u32 } = memory
    const state = u32.subarray(ring / 4)
    const [capacity, lines] = [state[CAPACITY]!, linesOf(state)]
    let row = from
    for (; row < n && state[HELD]! < capacity; row++) {
      if (u8[verdicts + row] !== 0) continue
      const id = words + row * 16
      const hash = hashId(u32, id / 4)
      if (isHeld(memory, id, hash, state[IDS]!, lines)) {
        u8[verdicts + row] = 1
        continue
      }
      const slot = (state[START]! + state[HELD]!) % capacity
      u8.copyWithin(state[IDS]! + slot * 16, id, id + 16)
      enter(memory, slot, hash, lines)
      state[HELD]! += 1
      const mixed = hash ^ mix
      state[SUM_A]! += mixed
      state[SUM_B]! += Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
    }
    return row
  },
  enterIds: (ring) => {
    const memory = views()
    const state = memory.u32.subarray(ring / 4)
    for (let index = 0; index < state[HELD]!; index++) {
      const slot = (state[START]! + index) % state[CAPACITY]!
      enter(memory, slot, hashId(memory.u32, state[IDS]! / 4 + slot * 4), linesOf(state))
    }
  },
  forgetIds: (gone, ring) => {
    const memory = views()
    const state = memory.u32.subarray(ring / 4)
    for (let index = 0; index < gone; index++) {
      const slot = state[START]!
      leave(memory, slot, hashId(memory.u32, state[IDS]! / 4 + slot * 4), linesOf(state))
      state[START] = (slot + 1) % state[CAPACITY]!
    }
    state[HELD]! -= gone
  },
})

const linesOf = (state: Uint32Array): Lines => ({ at: state[LINES]!, count: state[LINE_COUNT]! })
const tagOf = (hash: number): number => Math.max(hash & 0xff, 1)
/** Whole numbers below 2^53: a hash of 32 bits times at most 2^16 lines. */
const homeOf = ({ at, count }: Lines, hash: number): number =>
  at + Math.floor((hash * count) / 2 ** 32) * ID_LINE_BYTES
const secondOf = (lines: Lines, hash: number): number => homeOf(lines, Math.imul(hash, 0x2c1b3c6d) >>> 0)
const after = (line: number, { at, count }: Lines): number =>
  line + ID_LINE_BYTES === at + count * ID_LINE_BYTES ? at : line + ID_LINE_BYTES

function isHeld(memory: MemoryViews, id: number, hash: number, ids: number, lines: Lines): boolean {
  const { u8, u16, u32 } = memory
  const isIn = (line: number): boolean => {
    for (let place = 0; place < ID_LINE_PLACES; place++) {
      if (u8[line + place] !== tagOf(hash)) continue
      const held = ids / 4 + u16[line / 2 + SLOTS_AT + place]! * 4
      if ([0, 1, 2, 3].every((word) => u32[held + word] === u32[id / 4 + word])) return true
    }
    return false
  }
  let line = homeOf(lines, hash)
  if (isIn(line) || isIn(secondOf(lines, hash))) return true
  for (let step = 0; step < lines.count && u8[line + SENT_AT] !== 0; step++) {
    line = after(line, lines)
    if (isIn(line)) return true
  }
  return false
}

function enter({ u8, u16 }: MemoryViews, slot: number, hash: number, lines: Lines): void {
  const freeIn = (line: number): number =>
    u8.subarray(line, line + ID_LINE_PLACES).reduce((sum, tag) => sum + (tag === 0 ? 1 : 0), 0)
  const [home, second] = [homeOf(lines, hash), secondOf(lines, hash)]
  let line = freeIn(second) > freeIn(home) ? second : home
  for (; freeIn(line) === 0; line = after(line, lines))
    if (u8[line + SENT_AT]! < SENT_MOST) u8[line + SENT_AT]! += 1
  const place = u8.subarray(line, line + ID_LINE_PLACES).indexOf(0)
  u8[line + place] = tagOf(hash)
  u16[line / 2 + SLOTS_AT + place] = slot
}

function leave({ u8, u16 }: MemoryViews, slot: number, hash: number, lines: Lines): void {
  const leaves = (line: number): boolean => {
    for (let place = 0; place < ID_LINE_PLACES; place++) {
      if (u8[line + place] !== tagOf(hash) || u16[line / 2 + SLOTS_AT + place] !== slot) continue
      u8[line + place] = 0
      return true
    }
    return false
  }
  let line = homeOf(lines, hash)
  if (leaves(line) || leaves(secondOf(lines, hash))) return
  for (let step = 0; step < lines.count; step++) {
    if (u8[line + SENT_AT]! < SENT_MOST) u8[line + SENT_AT]! -= 1
    line = after(line, lines)
    if (leaves(line)) return
  }
}
