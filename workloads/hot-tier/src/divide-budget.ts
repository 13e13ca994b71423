import { TrueNowError } from '@truenow/contracts/errors.ts'
import { QUOTA_BYTES_MIN } from './create-arenas.ts'

/** Shares of `HOT_TIER_MEMORY_GB`, which is what the whole process may take. */
export type MemoryShares = Readonly<{
  /** Of the process itself: what is there before a row is, blocks on their way in, and queries. */
  reserveBytes: number
  /** Of each worker, for rows, rollups, texts, remembered ids, and what its heap takes beyond its part of the reserve. */
  quotaBytes: number
  /** Limits of a worker thread's heap, MiB: of what lives long, and of what was just made. */
  heapMibMax: Readonly<{ old: number; young: number }>
}>

const MIB = 1 << 20
const GIB = 1 << 30
/** Node's own program (58), and the heap, messages and buffers of the main thread: docs/design/0010-memory-budget.md. */
const PROGRAM_BYTES = 112 * MIB
/** A thread with its code, its young generation, blocks on their way in, and HEAP_RESERVE_BYTES. */
const WORKER_BYTES = 80 * MIB
/** Heap that a worker with few slots lives with; what objects of slots and buckets take beyond it is the rows' loss. */
export const HEAP_RESERVE_BYTES = 40 * MIB
/** The rows of a worker leave before its heap is as large; beyond, what lives there is a bug, or too many slots. */
const HEAP_SHARE_MAX = 0.5
/** Two halves of 2 MiB and what is too large for them. Blocks live outside the heap until a young collection: with 24 they take 40 MiB more. */
const YOUNG_MIB_MAX = 6

/**
 * Divides the budget of a process among its `workers` (0: one in the main thread). `reserveMib` below 0 = what was measured.
 * Pure. Errors: TN_CONFIG_INVALID for a budget in which no worker has room for rows.
 */
export function divideBudget(memoryGib: number, workers: number, reserveMib: number): MemoryShares {
  const count = Math.max(1, workers)
  const isMeasured = reserveMib < 0
  const reserveBytes = isMeasured ? PROGRAM_BYTES + count * WORKER_BYTES : Math.floor(reserveMib * MIB)
  const quotaBytes = Math.floor((memoryGib * GIB - reserveBytes) / count)
  const quotaBytesMin = isMeasured ? QUOTA_BYTES_MIN : 1
  if (quotaBytes < quotaBytesMin) {
    const least = (Math.ceil(((reserveBytes + count * quotaBytesMin) / GIB) * 1_000) / 1_000).toFixed(3)
    const workersSay = `the process needs ${Math.ceil(reserveBytes / MIB)} MiB for itself with ${count} worker(s)`
    const message = `HOT_TIER_MEMORY_GB=${memoryGib} leaves no room for rows: ${workersSay}; give it ${least} or more (memoryPerShard is twice that), or fewer TRUENOW_HOT_TIER_WORKERS.`
    throw new TrueNowError('TN_CONFIG_INVALID', message)
  }
  const old = Math.ceil(HEAP_RESERVE_BYTES / MIB + (quotaBytes / MIB) * HEAP_SHARE_MAX)
  return { reserveBytes, quotaBytes, heapMibMax: { old, young: YOUNG_MIB_MAX } }
}
