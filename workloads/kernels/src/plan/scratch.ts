import type { Arena } from '../columns/arena.ts'

/**
 * Memory of one query in the arena that its rows are in: taken as it is needed, given back all at once. Between uses a
 * `keep` with the same name is the same room, so that a chunk after another costs no allocation.
 */
export class Scratch {
  private readonly arena: Arena
  private readonly taken = new Map<number, number>()
  private readonly named = new Map<string, Readonly<{ pointer: number; bytes: number }>>()

  constructor(arena: Arena) {
    this.arena = arena
  }

  /** Bytes with any content. Errors: TN_MEMORY_FULL. */
  allocate(bytes: number): number {
    const pointer = this.arena.allocate(bytes)
    this.taken.set(pointer, bytes)
    return pointer
  }

  free(pointer: number): void {
    const bytes = this.taken.get(pointer)
    if (bytes === undefined) return
    this.taken.delete(pointer)
    this.arena.free(pointer, bytes)
  }

  /** The room of this name, at least so large; its content is lost when it has to grow. */
  keep(name: string, bytes: number): number {
    const held = this.named.get(name)
    if (held !== undefined && held.bytes >= bytes) return held.pointer
    if (held !== undefined) this.free(held.pointer)
    const pointer = this.allocate(bytes)
    this.named.set(name, { pointer, bytes })
    return pointer
  }

  bytesAt(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.arena.buffer, pointer, length)
  }
  wordsAt(pointer: number, length: number): Uint32Array {
    return new Uint32Array(this.arena.buffer, pointer, length)
  }
  doublesAt(pointer: number, length: number): Float64Array {
    return new Float64Array(this.arena.buffer, pointer, length)
  }
  integersAt(pointer: number, length: number): BigInt64Array {
    return new BigInt64Array(this.arena.buffer, pointer, length)
  }

  freeAll(): void {
    for (const [pointer, bytes] of this.taken) this.arena.free(pointer, bytes)
    this.taken.clear()
    this.named.clear()
  }
}
