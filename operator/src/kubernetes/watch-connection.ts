import type { Clock } from '@truenow/chassis/clock.ts'
import { KubernetesError, type WatchEvent } from './kubernetes-port.ts'
import type { Scheduler } from './scheduler.ts'

/**
 * How a watch ended: by the server's timeout, by 410 (the version is forgotten), by any other failure, by silence, or
 * because this side cut it.
 */
export type WatchEnd = Readonly<{
  end: 'timeout' | 'expired' | 'failed' | 'silent' | 'missed' | 'closed'
  error?: unknown
}>
export type WatchConnection = Readonly<{
  startedMs: number
  ended: Promise<WatchEnd>
  /** Ends it at once, whether or not the stream obeys: nothing is taken any more. */
  cut: (end: 'missed' | 'closed') => void
}>

/**
 * Hands every event of one watch to `take`, in order, until it ends; never rejects. Silence for `silenceMs` is an end too:
 * a half-open TCP connection tells nothing else. What `take` throws ends it as a failure.
 */
export function openWatch(
  open: (signal: AbortSignal) => AsyncIterable<WatchEvent>,
  take: (event: WatchEvent) => void,
  options: Readonly<{ silenceMs: number; clock: Clock; scheduler: Scheduler }>,
): WatchConnection {
  const { silenceMs, clock, scheduler } = options
  const stream = new AbortController()
  let cut: WatchEnd['end'] | undefined
  let wake = () => {}
  const end = (by: WatchEnd['end']) => {
    cut ??= by
    stream.abort()
    wake()
  }
  const follow = async (): Promise<WatchEnd> => {
    const events = open(stream.signal)[Symbol.asyncIterator]()
    let cancel = () => {}
    try {
      for (;;) {
        cancel()
        cancel = scheduler.after(silenceMs, () => end('silent'))
        const next = await new Promise<IteratorResult<WatchEvent> | undefined>((resolve, reject) => {
          wake = () => resolve(undefined)
          events.next().then(resolve, reject)
        })
        if (cut !== undefined) return { end: cut }
        if (next === undefined || next.done === true) return { end: 'timeout' }
        take(next.value)
      }
    } finally {
      cancel()
      stream.abort()
      void events.return?.().catch(() => {}) // It has been aborted; how it takes that is its own affair.
    }
  }
  const ended = follow().catch((error: unknown): WatchEnd => {
    if (cut !== undefined) return { end: cut }
    return { end: isExpired(error) ? 'expired' : 'failed', error }
  })
  return { startedMs: clock.monotonicMs(), ended, cut: end }
}

/** The version is older than what the server remembers: only a list helps. It comes as a status or inside an event. */
const isExpired = (error: unknown): boolean =>
  error instanceof KubernetesError &&
  (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
