/** What one replica of a slot takes of its worker. */
export type ReplicaLoad = Readonly<{
  /** Shares of one core. */
  applyShare: number
  scanShare: number
  /** In memory. */
  bytes: number
}>

/** Of a worker's memory, what one slot may hold (docs/design/0011). */
const MEMORY_SHARE_MAX = 0.5

/**
 * How near a replica is to what one slot may take, which is a core and half of its worker's memory; 1 = there, more = beyond.
 * `workerBytesMax` 0: nobody says what the worker may hold. Pure.
 */
export function slotHeat({ applyShare, scanShare, bytes }: ReplicaLoad, workerBytesMax: number): number {
  const memory = workerBytesMax === 0 ? 0 : bytes / (workerBytesMax * MEMORY_SHARE_MAX)
  return Math.max(applyShare + scanShare, memory)
}
