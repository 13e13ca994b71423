import type { Scheduler } from './scheduler.ts'

/** Resolves after `ms`, or as soon as `signal` aborts: whoever waits looks at the signal afterwards. */
export function pause(scheduler: Scheduler, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = scheduler.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
