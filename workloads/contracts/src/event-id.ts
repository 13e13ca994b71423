import { hash } from 'node:crypto'

export const EVENT_ID_BYTES = 16
/** Longest id that a client may send, in UTF-8 bytes. */
export const EVENT_ID_LENGTH_MAX = 256

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const SHORT_LENGTH_MAX = 15

/**
 * The 16 bytes that stand for an id, in three disjoint spaces told apart by byte 8:
 * - RFC 9562 UUID in lower case: its 16 bytes; the variant makes byte 8 0x80..0xbf;
 * - 1 to 15 bytes of UTF-8: bytes 0-7 and 9-15 hold the text, zero-filled, and byte 8 its length, 1..15;
 * - anything else: SHA-256 cut to 16 bytes with byte 8 forced to 0xc0..0xff, so 126 bits: ids differ unless SHA-256 collides.
 * Equal ids give equal bytes and different ids of the first two kinds give different bytes, exactly.
 */
export function encodeEventId(id: string, target: Uint8Array, at: number): void {
  if (id.length === 36 && UUID.test(id)) {
    for (let byte = 0, text = 0; byte < EVENT_ID_BYTES; byte++, text += 2) {
      if (id.charCodeAt(text) === 45) text++
      target[at + byte] = (hexDigit(id.charCodeAt(text)) << 4) | hexDigit(id.charCodeAt(text + 1))
    }
    return
  }
  if (id.length <= SHORT_LENGTH_MAX) {
    const text = Buffer.from(id, 'utf8')
    if (text.length <= SHORT_LENGTH_MAX) {
      target.fill(0, at, at + EVENT_ID_BYTES)
      target.set(text.subarray(0, 8), at)
      target[at + 8] = text.length
      target.set(text.subarray(8), at + 9)
      return
    }
  }
  const digest = hash('sha256', id, 'buffer')
  target.set(digest.subarray(0, EVENT_ID_BYTES), at)
  target[at + 8] = digest[8]! | 0xc0
}

/** The text of an id; one that was hashed comes back as `sha256:` and its 32 hex digits. */
export function decodeEventId(source: Uint8Array, at: number): string {
  const kind = source[at + 8]!
  const bytes = Buffer.from(source.buffer, source.byteOffset + at, EVENT_ID_BYTES)
  if (kind >= 0xc0) return `sha256:${bytes.toString('hex')}`
  if (kind >= 0x80)
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const text = Buffer.alloc(kind)
  bytes.copy(text, 0, 0, Math.min(8, kind))
  if (kind > 8) bytes.copy(text, 8, 9, 9 + kind - 8)
  return text.toString('utf8')
}

function hexDigit(code: number): number {
  return code < 58 ? code - 48 : code - 87
}
