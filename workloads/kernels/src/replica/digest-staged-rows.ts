import { kernelsOf } from '../simd/kernels-of.ts'
import type { StagedRows } from './staged-rows.ts'

/** Two words over rows in their order: equal rows in equal order give equal words, and nothing else should. Signed. */
export type RowDigest = Readonly<{ a: number; b: number }>
export const EMPTY_DIGEST: RowDigest = { a: 0x811c9dc5 | 0, b: 0x9747b28c | 0 }

/** The digest of the rows before, and of those `rowCount` that were named last. Cost: O(rowCount) a column. */
export function digestStagedRows(staged: StagedRows, rowCount: number, before: RowDigest): RowDigest {
  const { rows, mixed, answer, columns } = staged
  const kernels = kernelsOf(staged.arena)
  kernels.clearBytes(mixed, rowCount * 4)
  for (const { type, values, validity, texts } of columns) {
    if (texts !== undefined) kernels.mixCodes(values, texts.hashes, validity, rows, rowCount, mixed)
    else if (type === 'id128') kernels.mixIds(values, rows, rowCount, mixed)
    else if (type === 'bool') kernels.mixBytes(values, validity, rows, rowCount, mixed)
    else kernels.mixDoubles(values, validity, rows, rowCount, mixed)
  }
  const words = staged.words(answer, 2)
  words[0] = before.a
  words[1] = before.b
  kernels.foldRows(mixed, rowCount, answer)
  return { a: words[0]! | 0, b: words[1]! | 0 }
}
