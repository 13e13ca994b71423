import type { OptionalPointer, Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Writes the bitmap of `holds` for n rows and zeroes its padding to 16 bytes. */
export function writeBitmap(
  { u8 }: MemoryViews,
  n: number,
  out: Pointer,
  holds: (row: number) => boolean,
): void {
  const bytes = Math.ceil(n / 128) * 16
  for (let byte = 0; byte < bytes; byte++) {
    let bits = 0
    for (let row = byte * 8; row < Math.min(n, byte * 8 + 8); row++) if (holds(row)) bits |= 1 << (row & 7)
    u8[out + byte] = bits
  }
}

/** Whether a row's bit is set; without a bitmap it is. */
export function hasBit({ u8 }: MemoryViews, bitmap: OptionalPointer, row: number): boolean {
  return bitmap === 0 || ((u8[bitmap + (row >>> 3)]! >>> (row & 7)) & 1) === 1
}
