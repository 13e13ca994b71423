import { HYPERLOGLOG_P, HYPERLOGLOG_SPARSE_P } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import type { Hash64 } from './murmur3.ts'

const BEYOND_MASK = (1 << (HYPERLOGLOG_SPARSE_P - HYPERLOGLOG_P)) - 1

/** What a sparse HyperLogLog keeps of a hash, unsigned and never 0: index << 6 | rank, as hyperloglog-v1 says. */
export function entryOfHash({ high, low }: Hash64): number {
  const index = high >>> (32 - HYPERLOGLOG_SPARSE_P)
  if ((index & BEYOND_MASK) !== 0) return (index << 6) >>> 0
  const rest = high << HYPERLOGLOG_SPARSE_P
  const rank = rest === 0 ? 1 + 32 - HYPERLOGLOG_SPARSE_P + Math.clz32(low) : 1 + Math.clz32(rest)
  return ((index << 6) | rank) >>> 0
}
