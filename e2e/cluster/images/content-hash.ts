import { createHash } from 'node:crypto'

/** One hash over parts; each part's length goes in, so that shifting a border changes the hash. */
export function contentHash(parts: Iterable<string | Buffer>): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return hash.digest('hex').slice(0, 16)
}
