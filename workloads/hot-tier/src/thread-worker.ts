import { Worker } from 'node:worker_threads'
import { toBinary } from '@bufbuild/protobuf'
import type { Log, LogLevel } from '@truenow/chassis/log.ts'
import type { PeerAddresses } from '@truenow/chassis/peer-addresses.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  CopySlotRequestSchema,
  PartialQueryRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { PartialAnswer } from './execute-partial.ts'
import type { ShardWorker, SlotStates, WorkerEvents, WorkerSettings } from './shard-worker.ts'
import { type FromWorker, fromCrossing, type ToWorker, type WorkerMethod, type WorkerThreadData } from './worker-messages.ts' // biome-ignore format: one line

export type ThreadWorkerParts = Readonly<{
  settings: WorkerSettings
  log: Log
  ingesters: Pick<PeerAddresses, 'current' | 'onChange'>
  events: WorkerEvents
  /** Called once when the thread is gone, or has hung, without having been closed. Its slots are gone with it. */
  onDied: (why: string) => void
  /** What the thread runs; tests and benches run a worker of their own. */
  entry?: URL
  extra?: unknown
}>

const ENTRY = new URL('./worker-thread.ts', import.meta.url)
const WATCH_MS = 1_000
/** A worker beats once a second, but not while it reads its snapshots: as long as the startup probe waits for those, so do we. */
const SILENT_LOOKS_MAX = 120

/** A worker in a thread of its own. The calls of a thread that is gone reject with TN_SHARD_UNAVAILABLE. */
export function createThreadWorker(parts: ThreadWorkerParts): ShardWorker {
  const { settings, ingesters, log, events } = parts
  const data: WorkerThreadData = { settings, ingesters: ingesters.current(), extra: parts.extra }
  const { old, young } = settings.heapMibMax
  const thread = new Worker(parts.entry ?? ENTRY, {
    workerData: data,
    name: `worker-${settings.worker}`,
    resourceLimits: { maxOldGenerationSizeMb: old, maxYoungGenerationSizeMb: young },
  })
  const calls = new Calls(thread)
  let silentLooks = 0
  let ended = false
  /** Looks are counted, not time: a machine that slept must not take its worker for dead. */
  const watch = setInterval(() => {
    silentLooks += 1
    if (silentLooks > SILENT_LOOKS_MAX) died(`it has not spoken for ${SILENT_LOOKS_MAX} s`)
  }, WATCH_MS)
  const stopListening = ingesters.onChange((addresses) => calls.post({ kind: 'ingesters', addresses }))
  const end = () => {
    ended = true
    clearInterval(watch)
    stopListening()
  }
  const died = (why: string) => {
    if (ended) return
    end()
    void thread.terminate() // One that hangs must not wake up and go on writing.
    const message = `Worker ${settings.worker} of this shard is gone: ${why}.`
    calls.fail(new TrueNowError('TN_SHARD_UNAVAILABLE', message))
    parts.onDied(message)
  }
  thread.on('message', (message: FromWorker) => {
    silentLooks = 0
    take(message, calls, log, events)
  })
  thread.on('error', (err) => {
    log.error({ err, worker: settings.worker }, 'a worker thread failed')
    died(isOutOfMemory(err) ? outOfMemory(old) : err instanceof Error ? err.message : String(err))
  })
  thread.on('messageerror', (err) => died(`what it said cannot be read: ${err.message}`))
  thread.on('exit', (code) => died(`it ended with ${code}`))
  return {
    open: (identity) => calls.call('open', identity),
    assign: (catalog) => calls.call('assign', catalog),
    execute: (request, signal) =>
      calls.call<PartialAnswer>('execute', toBinary(PartialQueryRequestSchema, request), signal),
    pin: (request) => calls.call('pin', toBinary(CopySlotRequestSchema, request)),
    unpin: (pin) => calls.call('unpin', pin),
    states: () => calls.call<SlotStates>('states'),
    describe: () => calls.call('describe'),
    samples: () => calls.call('samples'),
    reset: () => calls.call('reset'),
    close: async () => {
      if (ended) return
      await calls.call('close')
      end()
      await thread.terminate()
    },
  }
}

const isOutOfMemory = (err: unknown) => (err as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
const outOfMemory = (mib: number) =>
  `its heap reached ${mib} MiB, its part of HOT_TIER_MEMORY_GB; raise memoryPerShard, or give the shard fewer slots`

function take(message: FromWorker, calls: Calls, log: Log, events: WorkerEvents): void {
  if (message.kind === 'answer') calls.settle(message.id, message.value)
  else if (message.kind === 'failure') calls.settle(message.id, undefined, fromCrossing(message.error))
  else if (message.kind === 'news') events.onNews()
  else if (message.kind === 'check') events.onCheck(message.check, message.reason)
  else if (message.kind === 'beat') events.onBeat(message.residentBytes)
  else write(message, log)
}

function write({ level, fields, err, message }: Extract<FromWorker, { kind: 'log' }>, log: Log): void {
  const all = err === undefined ? fields : { ...fields, err: fromCrossing(err) }
  log[level.toLowerCase() as Lowercase<LogLevel>](all, message)
}

/** Calls that wait for a thread's answer. */
class Calls {
  private readonly thread: Worker
  private readonly waiting = new Map<number, (value: unknown, error?: Error) => void>()
  private next = 0
  private failure: TrueNowError | undefined

  constructor(thread: Worker) {
    this.thread = thread
  }

  post(message: ToWorker): void {
    this.thread.postMessage(message)
  }

  call<Value>(method: WorkerMethod, argument?: unknown, signal?: AbortSignal): Promise<Value> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    const id = this.next++
    // The worker answers an aborted call as well: with the error that says so.
    const abort = () => this.post({ kind: 'abort', id })
    return new Promise<Value>((resolve, reject) => {
      this.waiting.set(id, (value, error) => {
        signal?.removeEventListener('abort', abort)
        if (error === undefined) resolve(value as Value)
        else reject(error)
      })
      this.post({ kind: 'call', id, method, argument })
      if (signal?.aborted === true) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }

  settle(id: number, value: unknown, error?: Error): void {
    const settle = this.waiting.get(id)
    this.waiting.delete(id)
    settle?.(value, error)
  }

  /** Ends every call that waits, and all that follow. */
  fail(error: TrueNowError): void {
    this.failure = error
    for (const id of [...this.waiting.keys()]) this.settle(id, undefined, error)
  }
}
