import { type LinearMemory, PAGE_BYTES } from './arena.ts'

const BYTES_MAX = 1024 ** 3

/** Bytes without WebAssembly, growing in place: for one replica alone (tests, tools); collected with whoever holds them. */
export function createPlainMemory(bytesMax: number = BYTES_MAX): LinearMemory {
  const buffer = new ArrayBuffer(PAGE_BYTES, { maxByteLength: Math.ceil(bytesMax / PAGE_BYTES) * PAGE_BYTES })
  return { buffer, grow: (pages) => buffer.resize(buffer.byteLength + pages * PAGE_BYTES) }
}
