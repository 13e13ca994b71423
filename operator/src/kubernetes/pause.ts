import type { Scheduler } from './scheduler.ts'

/** Resolves after `ms`, or as soon as one of `signals` aborts: whoever waits looks at them afterwards. */
export function pause(scheduler: Scheduler, ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      cancel()
      for (const signal of signals) signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = scheduler.after(ms, done)
    for (const signal of signals) signal.addEventListener('abort', done, { once: true })
  })
}
