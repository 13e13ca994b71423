import { isUtf8 } from 'node:buffer'

/** UTF-8 bytes of one UTF-16 unit; a pair of them takes 4. */
const UNIT_BYTES_MAX = 3

/** Texts by code, from 0. An array of texts is one. `utf8` is there where all of them are had as bytes without being made strings. */
export type Dictionary = Readonly<{
  length: number
  at: (code: number) => string | undefined
  utf8?: () => Utf8Dictionary
}>

/** The texts of a dictionary, each made. */
export const textsOf = (dictionary: Dictionary): string[] =>
  Array.from({ length: dictionary.length }, (_, code) => dictionary.at(code) ?? '')

/**
 * Texts as UTF-8, one behind the other: entry i ends before byte `ends[i]` and begins where the one before it ends. A text
 * becomes a string when somebody asks for it, and stays one: most readers of a block want the bytes only.
 */
export class Utf8Dictionary {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
  private readonly texts: string[] = []
  private buffer: Buffer | undefined

  constructor(bytes: Uint8Array, ends: Uint32Array) {
    this.bytes = bytes
    this.ends = ends
  }

  /** Any dictionary in this form. Cost: O(texts) unless it is one already. */
  static of(dictionary: Dictionary): Utf8Dictionary {
    const known = dictionary.utf8?.()
    if (known !== undefined) return known
    const ends = new Uint32Array(dictionary.length)
    let most = 0
    for (let code = 0; code < ends.length; code++) most += UNIT_BYTES_MAX * (dictionary.at(code) ?? '').length
    const bytes = Buffer.allocUnsafeSlow(most)
    let end = 0
    for (let code = 0; code < ends.length; code++) {
      end += bytes.write(dictionary.at(code) ?? '', end, 'utf8')
      ends[code] = end
    }
    return new Utf8Dictionary(bytes.subarray(0, end), ends)
  }

  get length(): number {
    return this.ends.length
  }

  utf8(): Utf8Dictionary {
    return this
  }

  at(code: number): string | undefined {
    const end = this.ends[code]
    if (end === undefined) return undefined
    const known = this.texts[code]
    if (known !== undefined) return known
    const { buffer, byteOffset, byteLength } = this.bytes
    this.buffer ??= Buffer.from(buffer, byteOffset, byteLength)
    const text = this.buffer.toString('utf8', this.startOf(code), end)
    this.texts[code] = text
    return text
  }

  startOf(code: number): number {
    return code === 0 ? 0 : (this.ends[code - 1] as number)
  }

  /** Why it is no dictionary; undefined = it is one: ends never fall or pass the bytes, each text is UTF-8. */
  problem(): string | undefined {
    const { bytes, ends } = this
    let from = 0
    for (let code = 0; code < ends.length; code++) {
      const end = ends[code] as number
      if (end < from || end > bytes.length) return `dictionary entry ${code} ends at ${end}`
      // Whole characters together are whole characters apart, if none is cut: no text begins inside one.
      if (end > from && ((bytes[from] as number) & 0xc0) === 0x80)
        return `dictionary entry ${code} is not UTF-8`
      from = end
    }
    return isUtf8(bytes) ? undefined : 'its dictionary is not UTF-8'
  }
}
