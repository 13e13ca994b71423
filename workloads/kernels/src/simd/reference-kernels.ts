import type { LinearMemory } from '../columns/arena.ts'
import { bitmaps } from './bitmaps.ts'
import { condenseValues } from './condense-values.ts'
import { digestRows } from './digest-rows.ts'
import { distinctRegisters } from './distinct-registers.ts'
import { endRows } from './end-rows.ts'
import { fewGroups } from './few-groups.ts'
import { fixedSums } from './fixed-sums.ts'
import { foldCells } from './fold-cells.ts'
import { groupAggregates } from './group-aggregates.ts'
import { groupNumbers } from './group-numbers.ts'
import { idRing } from './id-ring.ts'
import { internTexts } from './intern-texts.ts'
import { keepCodes } from './keep-codes.ts'
import type { Kernels } from './kernels.ts'
import { memoryViews } from './memory-views.ts'
import { minMaxF64 } from './min-max-f64.ts'
import { numberKeys } from './number-keys.ts'
import { selectCodes } from './select-codes.ts'
import { selectValues } from './select-values.ts'
import { sumF64 } from './sum-f64.ts'
import { sumI64 } from './sum-i64.ts'
import { takeRows } from './take-rows.ts'

/** The TypeScript twins of all kernels over `memory`: the reference that tests hold the WebAssembly form to. */
export function referenceKernels(memory: Pick<LinearMemory, 'buffer'>): Kernels {
  const views = memoryViews(memory)
  return {
    ...selectValues(views),
    ...selectCodes(views),
    ...keepCodes(views),
    ...bitmaps(views),
    sumF64: sumF64(views),
    sumI64: sumI64(views),
    minMaxF64: minMaxF64(views),
    ...groupNumbers(views),
    ...groupAggregates(views),
    ...fewGroups(views),
    ...fixedSums(views),
    ...foldCells(views),
    ...distinctRegisters(views),
    ...endRows(views),
    ...condenseValues(views),
    ...numberKeys(views),
    ...internTexts(views),
    ...takeRows(views),
    ...idRing(views),
    ...digestRows(views),
  }
}
