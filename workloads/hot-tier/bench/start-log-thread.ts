import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Rows that are told at once, then those of each of two phases, in blocks. */
export type LogThreadData = Readonly<{ held: number; phaseRows: number; blockRows: number }>
export type ToLogThread = 'prepare' | 'open'

/** An ingester in a thread of its own. `prepare` encodes the blocks of both phases, each `open` lets one begin. */
export async function startLogThread(data: LogThreadData) {
  const thread = new Worker(new URL('./log-thread.ts', import.meta.url), { workerData: data })
  const [address] = (await once(thread, 'message')) as [string]
  const say = (what: ToLogThread) => thread.postMessage(what)
  return {
    address,
    prepare: async () => {
      say('prepare')
      await once(thread, 'message')
    },
    open: () => say('open'),
    close: () => thread.terminate(),
  }
}
