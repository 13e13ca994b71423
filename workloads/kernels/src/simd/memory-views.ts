import type { LinearMemory } from '../columns/arena.ts'
/** One memory as every element type that a twin reads or writes. */
export type MemoryViews = Readonly<{
  u8: Uint8Array
  u16: Uint16Array
  u32: Uint32Array
  u64: BigUint64Array
  i64: BigInt64Array
  f64: Float64Array
}>

/** Views of a memory that may grow: made again when its buffer is another one. */
export function memoryViews(memory: Pick<LinearMemory, 'buffer'>): () => MemoryViews {
  const view = (buffer: ArrayBufferLike): MemoryViews => ({
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    u64: new BigUint64Array(buffer),
    i64: new BigInt64Array(buffer),
    f64: new Float64Array(buffer),
  })
  let buffer: ArrayBufferLike = memory.buffer
  let views = view(buffer)
  return () => {
    if (memory.buffer !== buffer) {
      buffer = memory.buffer
      views = view(buffer)
    }
    return views
  }
}
