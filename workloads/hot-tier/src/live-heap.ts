import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

/** Bytes of this thread's heap that its last full collection left; what young ones have not looked at yet is not among them. */
export type LiveHeap = Readonly<{ bytes: () => number }>

/** What Node says of a collection, and its types do not. */
type Collection = PerformanceEntry & Readonly<{ detail?: Readonly<{ kind: number }> }>

/** Watches this thread's collections for as long as it lives. Before the first full one: what is used now. */
export function watchLiveHeap(): LiveHeap {
  let bytes = getHeapStatistics().used_heap_size
  const observer = new PerformanceObserver((list) => {
    const isFull = list
      .getEntries()
      .some((entry) => (entry as Collection).detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR)
    if (isFull) bytes = getHeapStatistics().used_heap_size
  })
  observer.observe({ entryTypes: ['gc'] })
  return { bytes: () => bytes }
}
