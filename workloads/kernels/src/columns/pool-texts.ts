import type { Dictionary, Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import type { TextPool } from './text-pool.ts'

/**
 * Some texts of a pool, by codes of their own: a limit that leaves ten groups of a million reads ten of them. Only for as long as the
 * cut is held whose rows have them; what leaves the worker is encoded, which reads them all.
 */
export class PoolTexts implements Dictionary {
  private readonly pool: TextPool
  private readonly codes: Uint32Array
  private read: Utf8Dictionary | undefined

  /** `codes` are the pool's, by own code. */
  constructor(pool: TextPool, codes: Uint32Array) {
    this.pool = pool
    this.codes = codes
  }

  get length(): number {
    return this.codes.length
  }

  at(code: number): string | undefined {
    const held = this.codes[code]
    return held === undefined ? undefined : this.pool.at(held)
  }

  utf8(): Utf8Dictionary {
    this.read ??= this.pool.textsOf(this.codes)
    return this.read
  }
}
