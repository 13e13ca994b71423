import type { Arena } from './arena.ts'

/** Strings that are kept, at most; where two codes have the same place, the later one stays. */
const DECODED_TEXTS_MAX = 16_384
const DECODED_TEXTS_MIN = 256
/** A longer text is made anew each time, so that what is kept stays small. */
const DECODED_LENGTH_MAX = 256

/**
 * Strings of texts in an arena that were asked for of late, by code. Few codes have few places; a code beyond them doubles
 * them. Cost: O(1), or O(text) for one that has to be made. Memory: at most 16,384 strings of 256 bytes.
 */
export class DecodedTexts {
  private readonly arena: Arena
  private buffer: Buffer | undefined
  private codes = new Int32Array(0)
  private texts: string[] = []

  constructor(arena: Arena) {
    this.arena = arena
  }

  /** The text of `code`, whose bytes stand at `from`. */
  at(code: number, from: number, length: number): string {
    if (length > DECODED_LENGTH_MAX) return this.decode(from, length)
    if (code >= this.codes.length && this.codes.length < DECODED_TEXTS_MAX) this.widen(code)
    const place = code & (this.codes.length - 1)
    if (this.codes[place] !== code) {
      this.texts[place] = this.decode(from, length)
      this.codes[place] = code
    }
    return this.texts[place]!
  }

  /** Forgets them all: codes mean something else from here on. */
  clear(): void {
    this.codes = new Int32Array(0)
    this.texts = []
  }

  private decode(from: number, length: number): string {
    const { buffer } = this.arena
    // Memory that grows has another buffer then, or a longer one.
    if (this.buffer?.buffer !== buffer || this.buffer.length !== buffer.byteLength)
      this.buffer = Buffer.from(buffer)
    return this.buffer.toString('utf8', from, from + length)
  }

  private widen(code: number): void {
    let places = DECODED_TEXTS_MIN
    while (places <= code && places < DECODED_TEXTS_MAX) places *= 2
    this.codes = new Int32Array(places).fill(-1)
    this.texts = []
  }
}
