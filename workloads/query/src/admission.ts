import { TrueNowError } from '@truenow/contracts/errors.ts'

type Waiter = Readonly<{ admit: () => void }>

/**
 * Lets `runningMax` statements run and `waitingMax` more wait their turn, first come first served; beyond that
 * TN_OVERLOADED names the limit. Whoever gives up while waiting (the signal) leaves the line at once.
 */
export function createAdmission(runningMax: number, waitingMax: number) {
  let running = 0
  const line = new Set<Waiter>()

  function leave(): void {
    const [next] = line
    if (next === undefined) {
      running--
      return
    }
    line.delete(next) // The place passes on, so `running` stays as it is.
    next.admit()
  }

  async function enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (running < runningMax) {
      running++
      return
    }
    if (line.size >= waitingMax) {
      throw new TrueNowError(
        'TN_OVERLOADED',
        `${running} statements run and ${line.size} wait, as many as TRUENOW_QUERY_RUNNING_MAX and ` +
          'TRUENOW_QUERY_WAITING_MAX allow. Try again in a second, or add query pods.',
        { details: { limit: 'TRUENOW_QUERY_WAITING_MAX', max: waitingMax, retry_after_s: 1 } },
      )
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { admit: resolve }
    line.add(waiter)
    const giveUp = () => {
      line.delete(waiter)
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  return {
    running: (): number => running,
    waiting: (): number => line.size,
    /** Runs `work` when its turn has come. Errors: TN_OVERLOADED, the signal's reason, those of `work`. */
    async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
      await enter(signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
export type Admission = ReturnType<typeof createAdmission>
