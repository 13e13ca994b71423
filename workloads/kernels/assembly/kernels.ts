/** The module's interface: what is exported here is an export of kernels.wasm (src/simd/kernels.ts says what each does). */
export { selectF64, selectF64Between, selectU32Between } from './select-values'
export {
  selectCodeEqual8,
  selectCodeEqual16,
  selectCodeEqual32,
  selectCodeIn8,
  selectCodeIn16,
  selectCodeIn32,
} from './select-codes'
export { keepCodeEqual8, keepCodeEqual16, keepCodeEqual32 } from './keep-codes'
export { bitmapFill, bitmapAnd, bitmapOr, bitmapNot, bitmapCount, bitmapRows } from './bitmaps'
export { sumF64 } from './sum-f64'
export { sumI64 } from './sum-i64'
export { minMaxF64 } from './min-max-f64'
export {
  groupInit8,
  groupInit16,
  groupInit32,
  groupExtend8,
  groupExtend16,
  groupExtend32,
  groupTimesInit,
  groupTimesExtend,
} from './group-numbers'
export { groupCount, groupSumF64, groupSumI64, groupMinMaxF64 } from './group-aggregates'
export { sumF64ByKeys, settleSums } from './fixed-sums'
export { countBy8, sumF64By8 } from './few-groups'
export { numberKeys, rehashKeys, pairKeys } from './number-keys'
export { hashTexts, findTexts, translateTexts, moveTexts, forgetTexts, packTexts } from './intern-texts'
export {
  takeBytes,
  takeDoubles,
  takeIds,
  takeOffsets,
  copyBytes,
  clearBytes,
  takeExtremes,
  takeBits,
  countBits,
  narrowCodes,
} from './take-rows'
export { admitIds, enterIds, forgetIds } from './id-ring'
export { mixDoubles, mixBytes, mixCodes, mixIds, foldRows } from './digest-rows'
export { raiseRegisters, raiseRegisters8, raiseRegisters16, raiseRegisters32, entriesOfF64 } from './distinct-registers'
export { fillF64, numberPairs, cellAddF64, cellSumF64, cellSumI64, cellMinMaxF64 } from './fold-cells'
export { groupEndRows } from './end-rows'
export { groupValues, condenseValues } from './condense-values'
