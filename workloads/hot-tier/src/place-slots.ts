/**
 * Which worker holds which slot: one that is held stays where it is, a new one goes to the worker with the fewest bytes, of
 * equals the one with the fewest slots. A new slot counts as many bytes as the held ones have on average, so that not all that come
 * at once go the same way. Pure; keys are those of `wanted`, in its order. Cost: O(wanted × workers).
 */
export function placeSlots(
  held: ReadonlyMap<string, number>,
  wanted: readonly string[],
  bytesOfWorker: readonly number[],
): Map<string, number> {
  const loads = bytesOfWorker.map((bytes, worker) => ({ worker, bytes, slots: 0 }))
  const bytesHeld = bytesOfWorker.reduce((sum, bytes) => sum + bytes, 0)
  const bytesASlot = held.size === 0 ? 0 : bytesHeld / held.size
  for (const key of wanted) {
    const load = loads[held.get(key) ?? -1]
    if (load !== undefined) load.slots += 1
  }
  return new Map(
    wanted.map((key) => {
      const worker = held.get(key)
      if (worker !== undefined) return [key, worker]
      const emptiest = loads.reduce((least, one) =>
        one.bytes < least.bytes || (one.bytes === least.bytes && one.slots < least.slots) ? one : least,
      )
      emptiest.bytes += bytesASlot
      emptiest.slots += 1
      return [key, emptiest.worker]
    }),
  )
}
