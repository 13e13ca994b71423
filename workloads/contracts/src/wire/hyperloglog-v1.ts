import { TrueNowError } from '../errors.ts'

/*
 * HyperLogLog v1: the state of APPROX_COUNT_DISTINCT over 64-bit hashes (h1 : h2 of MurmurHash3_x86_128, seed 0, most
 * significant bit first). A pure function of the set of hashes: equal sets give equal bytes. Little-endian.
 *
 *   state     := version u8 = 1 | form u8 | p u8 = 14 | sparseP u8 = 25 | payload
 *   form      := 0 sparse: (entry u32){0..3,072}   -- ascending, each index once; more indexes than that: dense
 *             |  1 dense: 16,384 registers of 6 bits, 12,288 bytes; register i is bits 6i..6i+5, least significant first
 *   entry     := index << 6 | rank: index = the first 25 bits of the hash; rank = 0 unless bits 15..25 are all zero, then
 *                1 + the zeros that follow bit 25, at most 40
 *   register  := greatest rank of hashes whose first 14 bits are i: 1 + the zeros that follow, at most 51; 0 = none
 */
export const HYPERLOGLOG_P = 14
export const HYPERLOGLOG_SPARSE_P = 25
export const HYPERLOGLOG_REGISTERS = 1 << HYPERLOGLOG_P
export const HYPERLOGLOG_DENSE_BYTES = (HYPERLOGLOG_REGISTERS * 6) / 8
/** As many entries as take the bytes of the dense form. */
export const HYPERLOGLOG_SPARSE_MAX = HYPERLOGLOG_DENSE_BYTES / 4
export const HYPERLOGLOG_RANK_MAX = 64 - HYPERLOGLOG_P + 1
const SPARSE_RANK_MAX = 64 - HYPERLOGLOG_SPARSE_P + 1
/** Bits of a sparse index that are beyond the register's: all zero where an entry has a rank. */
const BEYOND_MASK = (1 << (HYPERLOGLOG_SPARSE_P - HYPERLOGLOG_P)) - 1
const VERSION = 1
const HEADER_BYTES = 4
const SPARSE = 0
const DENSE = 1

export type HyperLogLogState =
  | Readonly<{ form: 'sparse'; entries: Uint32Array }>
  | Readonly<{ form: 'dense'; registers: Uint8Array }>

/** Encodes a state that follows the grammar. */
export function encodeHyperLogLog(state: HyperLogLogState): Uint8Array {
  const payload =
    state.form === 'dense'
      ? state.registers.subarray(0, HYPERLOGLOG_DENSE_BYTES)
      : new Uint8Array(state.entries.buffer, state.entries.byteOffset, state.entries.byteLength)
  const target = new Uint8Array(HEADER_BYTES + payload.length)
  target.set([VERSION, state.form === 'dense' ? DENSE : SPARSE, HYPERLOGLOG_P, HYPERLOGLOG_SPARSE_P])
  target.set(payload, HEADER_BYTES)
  return target
}

/** Decodes a state; nothing of `source` is kept. Errors: TN_BLOCK_CORRUPT for whatever breaks the grammar. */
export function decodeHyperLogLog(source: Uint8Array): HyperLogLogState {
  const [version, form, p, sparseP] = source
  if (version !== VERSION) throw corrupt(`version ${version}`)
  if (p !== HYPERLOGLOG_P || sparseP !== HYPERLOGLOG_SPARSE_P) throw corrupt(`precision ${p} and ${sparseP}`)
  const payload = source.slice(HEADER_BYTES)
  if (form === DENSE) return { form: 'dense', registers: checkedRegisters(payload) }
  if (form === SPARSE) return { form: 'sparse', entries: checkedEntries(payload) }
  throw corrupt(`form ${form}`)
}

function checkedEntries(payload: Uint8Array): Uint32Array {
  if (payload.length % 4 !== 0) throw corrupt(`${payload.length} bytes of entries`)
  const entries = new Uint32Array(payload.length / 4)
  new Uint8Array(entries.buffer).set(payload)
  if (entries.length > HYPERLOGLOG_SPARSE_MAX) throw corrupt(`${entries.length} entries`)
  let before = -1
  for (const entry of entries) {
    const [index, rank] = [entry >>> 6, entry & 63]
    if (index >>> HYPERLOGLOG_SPARSE_P !== 0 || index <= before)
      throw corrupt(`index ${index} after ${before}`)
    if ((index & BEYOND_MASK) === 0 ? rank < 1 || rank > SPARSE_RANK_MAX : rank !== 0)
      throw corrupt(`rank ${rank} of index ${index}`)
    before = index
  }
  return entries
}

function checkedRegisters(payload: Uint8Array): Uint8Array {
  if (payload.length !== HYPERLOGLOG_DENSE_BYTES) throw corrupt(`${payload.length} bytes of registers`)
  // Four registers in three bytes.
  for (let at = 0; at < payload.length; at += 3) {
    const word = payload[at]! | (payload[at + 1]! << 8) | (payload[at + 2]! << 16)
    for (let shift = 0; shift < 24; shift += 6) {
      const rank = (word >>> shift) & 63
      if (rank > HYPERLOGLOG_RANK_MAX) throw corrupt(`a register of ${rank}`)
    }
  }
  return payload
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_BLOCK_CORRUPT', `HyperLogLog v1 does not follow its grammar: ${what}.`)
}
