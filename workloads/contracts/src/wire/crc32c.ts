import { readFileSync } from 'node:fs'

const TABLE = makeTable()
/** Fewer bytes are not worth a copy. */
const KERNEL_BYTES_MIN = 1_024
/** Bytes that the kernel has room for; more go through in pieces. */
const PIECE_BYTES_MAX = 256 << 10
const PAGE_BYTES = 65_536
const kernel = loadKernel()

/**
 * CRC-32C (Castagnoli), as an unsigned 32-bit number.
 * Cost: O(bytes), a copy included; no allocation. Source: RFC 3720, appendix B.4 (vectors there).
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (end - start < KERNEL_BYTES_MIN) return crc32cByTable(bytes, start, end)
  let crc = 0xffffffff
  for (let from = start; from < end; from += PIECE_BYTES_MAX)
    crc = kernel(crc, bytes.subarray(from, Math.min(from + PIECE_BYTES_MAX, end)))
  return (crc ^ 0xffffffff) >>> 0
}

/** The same in plain TypeScript: for few bytes, and the twin of assembly/crc32c.ts. */
export function crc32cByTable(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffffffff
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    crc =
      TABLE[1_792 + (low & 255)]! ^
      TABLE[1_536 + ((low >>> 8) & 255)]! ^
      TABLE[1_280 + ((low >>> 16) & 255)]! ^
      TABLE[1_024 + (low >>> 24)]! ^
      TABLE[768 + bytes[at + 4]!]! ^
      TABLE[512 + bytes[at + 5]!]! ^
      TABLE[256 + bytes[at + 6]!]! ^
      TABLE[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = TABLE[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** Eight tables of 256 words ("slicing by eight"): table k advances a byte by k further zero bytes. */
function makeTable(): Int32Array {
  const table = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
    table[byte] = crc
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = table[(slice - 1) * 256 + byte]!
      table[slice * 256 + byte] = (previous >>> 8) ^ table[previous & 255]!
    }
  }
  return table
}

type Crc32cKernel = Readonly<{
  crc32c: (crc: number, at: number, end: number, table: number) => number
}>

/** The WebAssembly form, which reads this package's only file, its own code: `make generate` writes it from assembly/. */
function loadKernel(): (crc: number, bytes: Uint8Array) => number {
  const module = new WebAssembly.Module(readFileSync(new URL('../gen/crc32c.wasm', import.meta.url)))
  const tableBytes = TABLE.byteLength
  const memory = new WebAssembly.Memory({ initial: Math.ceil((tableBytes + PIECE_BYTES_MAX) / PAGE_BYTES) })
  const { crc32c } = new WebAssembly.Instance(module, { env: { memory } }).exports as Crc32cKernel
  new Int32Array(memory.buffer).set(TABLE)
  const held = new Uint8Array(memory.buffer, tableBytes)
  return (crc, bytes) => {
    held.set(bytes)
    return crc32c(crc, tableBytes, tableBytes + bytes.length, 0)
  }
}
