const SURROGATE = /[\ud800-\udfff]/

/**
 * Orders text by its code points, as UTF-8 bytes do and SQL engines with a binary collation. JavaScript's own `<` compares
 * UTF-16 units, which differs only where surrogates are.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  if (SURROGATE.test(a) || SURROGATE.test(b))
    return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'))
  return a < b ? -1 : 1
}
