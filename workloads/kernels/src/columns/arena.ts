import { TrueNowError } from '@truenow/contracts/errors.ts'

/** What an arena divides up: a `WebAssembly.Memory`, or plain bytes that grow in place. Pages are 64 KiB. */
export type LinearMemory = Readonly<{ buffer: ArrayBufferLike; grow: (pages: number) => unknown }>

export const PAGE_BYTES = 65_536
/** wasm32 ends here; its last unit is never handed out, so kernels may read a few bytes beyond any allocation. */
export const ARENA_BYTES_MAX = 4 * 1024 ** 3
/** Every allocation is a whole number of these. */
export const UNIT_BYTES = 256
/** The memory grows by at least this much, so that growing is rare. */
const GROWTH_PAGES = 64
/** Runs looked at in the bin that may or may not fit, before a larger bin is taken. */
const PROBES = 8

/**
 * Memory in one address space that kernels see: runs of 256-byte units, taken and given back; neighbours that are free
 * become one run at once, so what expires can be used for anything. Pointers are byte addresses, multiples of 256;
 * 0 is never one. The memory never shrinks: what is free is used again.
 * Cost: O(1) expected. Memory: two map entries a free run. Source: boundary tags, Knuth, TAOCP 1, 2.5.
 */
export class Arena {
  readonly memory: LinearMemory
  bytesMax: number
  /** Bytes handed out. */
  usedBytes = 0
  /** Where the last block was staged: the next one should be there too, while that memory is in the processor's caches. */
  stagedAt = 0
  /** Length of each free run in units, by its first unit, and by the unit after its last. */
  private readonly lengthByStart = new Map<number, number>()
  private readonly lengthByEnd = new Map<number, number>()
  /** Starts of free runs of [2^i, 2^(i+1)) units. */
  private readonly bins: Array<Set<number>> = Array.from({ length: 32 }, () => new Set())
  private units = 1
  private bytes: ArrayBufferLike

  constructor(memory: LinearMemory, bytesMax: number = ARENA_BYTES_MAX) {
    this.memory = memory
    this.bytesMax = Math.min(bytesMax, ARENA_BYTES_MAX) - UNIT_BYTES
    this.bytes = memory.buffer
    this.adopt()
  }

  /** From here on it grows up to `bytes` and no further; what it has stays its own. */
  limit(bytes: number): void {
    this.bytesMax = Math.min(bytes, ARENA_BYTES_MAX) - UNIT_BYTES
  }

  /** The memory's, as it was when it last grew: asking the memory itself is a call out of JavaScript. */
  get buffer(): ArrayBufferLike {
    return this.bytes
  }

  /** Address of `bytes` bytes with any content, at `preferred` where so many are free there. Errors: TN_MEMORY_FULL; then nothing was taken. */
  allocate(bytes: number, preferred = 0): number {
    const units = unitsOf(bytes)
    const fits = (this.lengthByStart.get(preferred / UNIT_BYTES) ?? 0) >= units
    let start = fits ? preferred / UNIT_BYTES : this.find(units)
    if (start < 0) {
      this.grow(units)
      start = this.find(units)
    }
    const length = this.lengthByStart.get(start) ?? 0
    this.unlink(start, length)
    if (length > units) this.link(start + units, length - units)
    this.usedBytes += units * UNIT_BYTES
    return start * UNIT_BYTES
  }

  /** Gives back what `allocate(bytes)` gave; answers where what is free there begins by now. */
  free(pointer: number, bytes: number): number {
    let [start, length] = [pointer / UNIT_BYTES, unitsOf(bytes)]
    this.usedBytes -= length * UNIT_BYTES
    const before = this.lengthByEnd.get(start)
    if (before !== undefined) {
      this.unlink(start - before, before)
      start -= before
      length += before
    }
    const after = this.lengthByStart.get(start + length)
    if (after !== undefined) {
      this.unlink(start + length, after)
      length += after
    }
    this.link(start, length)
    return start * UNIT_BYTES
  }

  /**
   * Copies the first `bytes` bytes of a view to an address. By Buffer, which moves all at once: a typed array's `set` goes through
   * shared memory word by word, and byte by byte where one end does not lie at a whole word.
   */
  write({ buffer, byteOffset }: ArrayBufferView, bytes: number, pointer: number): void {
    Buffer.from(buffer, byteOffset, bytes).copy(Buffer.from(this.bytes, pointer, bytes))
  }

  /** Keeps the first `kept` bytes of what `allocate(bytes)` gave, and gives back the units behind them. */
  shrink(pointer: number, bytes: number, kept: number): void {
    const [from, end] = [unitsOf(kept) * UNIT_BYTES, unitsOf(bytes) * UNIT_BYTES]
    if (from < end) this.free(pointer + from, end - from)
  }

  /**
   * Makes sure that allocations of `bytes` bytes together will succeed, whatever their sizes: a run as long as all of
   * them stands free. Errors: TN_MEMORY_FULL.
   */
  ensure(bytes: number): void {
    const units = unitsOf(bytes)
    if (this.find(units) < 0) this.grow(units)
  }

  private find(units: number): number {
    const bin = 31 - Math.clz32(units)
    let probes = 0
    for (const start of this.bins[bin]!) {
      if (this.lengthByStart.get(start)! >= units) return start
      probes += 1
      if (probes === PROBES) break
    }
    for (let larger = bin + 1; larger < this.bins.length; larger++) {
      for (const start of this.bins[larger]!) return start
    }
    return -1
  }

  private grow(units: number): void {
    const now = this.memory.buffer.byteLength
    // What is free at the end need not be asked for again.
    const tail = this.lengthByEnd.get(this.units) ?? 0
    const needed = Math.ceil(((units - tail) * UNIT_BYTES) / PAGE_BYTES)
    const most = Math.floor((this.bytesMax + UNIT_BYTES - now) / PAGE_BYTES)
    const wanted = Math.min(Math.max(needed, GROWTH_PAGES), most)
    if (needed > most || !this.tryGrow(wanted)) {
      const used = `${this.usedBytes} of ${this.bytesMax} bytes are taken`
      throw new TrueNowError('TN_MEMORY_FULL', `No ${units * UNIT_BYTES} bytes are left for rows; ${used}.`)
    }
    this.adopt()
  }

  private tryGrow(pages: number): boolean {
    try {
      this.memory.grow(pages)
      return true
    } catch {
      return false // The machine has less than the limit says.
    }
  }

  /** Takes in what the memory has beyond what is known; its last unit stays untouched. */
  private adopt(): void {
    this.bytes = this.memory.buffer
    const end = Math.floor(this.bytes.byteLength / UNIT_BYTES) - 1
    const known = this.units
    if (end <= known) return
    this.units = end
    this.usedBytes += (end - known) * UNIT_BYTES
    this.free(known * UNIT_BYTES, (end - known) * UNIT_BYTES)
  }

  private link(start: number, length: number): void {
    this.lengthByStart.set(start, length)
    this.lengthByEnd.set(start + length, length)
    this.bins[31 - Math.clz32(length)]!.add(start)
  }

  private unlink(start: number, length: number): void {
    this.lengthByStart.delete(start)
    this.lengthByEnd.delete(start + length)
    this.bins[31 - Math.clz32(length)]!.delete(start)
  }
}

const unitsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / UNIT_BYTES))
