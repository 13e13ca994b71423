import assert from 'node:assert/strict'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { fromBinary } from '@bufbuild/protobuf'
import type { CatalogContent } from '@truenow/chassis/catalog-view.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { Log, LogLevel } from '@truenow/chassis/log.ts'
import { logWarnings } from '@truenow/chassis/log-warnings.ts'
import {
  CopySlotRequestSchema,
  PartialQueryRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { PartialAnswer } from './execute-partial.ts'
import { watchLiveHeap } from './live-heap.ts'
import { createLocalWorker, type LocalWorkerPorts } from './local-worker.ts'
import type { ShardIdentity, ShardWorker } from './shard-worker.ts'
import {
  type FromWorker,
  type ToWorker,
  toCrossing,
  type WorkerMethod,
  type WorkerThreadData,
} from './worker-messages.ts'

export type WorkerThreadPorts = Pick<
  LocalWorkerPorts,
  'connectIngester' | 'connectShard' | 'writeFile' | 'sync'
>

/** The life of a worker thread: a local worker behind the port to the main thread, which ends the thread after `close`. */
export function runWorkerThread(ports: WorkerThreadPorts): void {
  assert(parentPort !== null, 'this is the entry of a worker thread')
  const port = parentPort
  const { settings, ingesters } = workerData as WorkerThreadData
  let addresses = ingesters
  const post = (message: FromWorker) => port.postMessage(message)
  const log = createThreadLog(post, settings.worker)
  logWarnings(process, log)
  const running = new Map<number, AbortController>()
  const take = (message: ToWorker) => {
    if (message.kind === 'ingesters') addresses = message.addresses
    else if (message.kind === 'abort') running.get(message.id)?.abort()
    else void answer(port, worker, message, running)
  }
  const hear = () => {
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port))
      take(got.message)
  }
  const current = () => addresses
  const worker = createLocalWorker(
    settings,
    { ...ports, log, clock: systemClock, ingesters: { current }, heap: watchLiveHeap(), hear },
    {
      onNews: () => post({ kind: 'news' }),
      onCheck: (check, reason) => post({ kind: 'check', check, reason }),
      onBeat: (residentBytes) => post({ kind: 'beat', residentBytes }),
    },
  )
  port.on('message', take)
}

type Call = Extract<ToWorker, { kind: 'call' }>

/** Runs one call and answers it, whatever comes of it. */
async function answer(
  port: MessagePort,
  worker: ShardWorker,
  { id, method, argument }: Call,
  running: Map<number, AbortController>,
): Promise<void> {
  const stop = new AbortController()
  running.set(id, stop)
  try {
    const value = await run(worker, method, argument, stop.signal)
    const message: FromWorker = { kind: 'answer', id, value }
    port.postMessage(message, method === 'execute' ? transfersOf(value as PartialAnswer) : [])
  } catch (error) {
    const message: FromWorker = { kind: 'failure', id, error: toCrossing(error) }
    port.postMessage(message)
  } finally {
    running.delete(id)
  }
}

function run(
  worker: ShardWorker,
  method: WorkerMethod,
  argument: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  switch (method) {
    case 'open':
      return worker.open(argument as ShardIdentity)
    case 'assign':
      return worker.assign(argument as CatalogContent)
    case 'execute':
      return worker.execute(fromBinary(PartialQueryRequestSchema, argument as Uint8Array), signal)
    case 'pin':
      return worker.pin(fromBinary(CopySlotRequestSchema, argument as Uint8Array))
    case 'unpin':
      return worker.unpin(argument as number)
    default:
      return worker[method]()
  }
}

/** A batch has a buffer of its own; where it should not, it is copied. */
const transfersOf = ({ batch }: PartialAnswer): ArrayBuffer[] =>
  batch.buffer instanceof ArrayBuffer && batch.byteLength === batch.buffer.byteLength ? [batch.buffer] : []

/** Lines are written by the main thread, so that they neither mix with its own nor get lost. Errors go in `err`, as everywhere. */
function createThreadLog(post: (message: FromWorker) => void, worker: number): Log {
  const write = (level: LogLevel) => (given: Readonly<Record<string, unknown>>, message: string) => {
    const { err, ...rest } = given
    const fields = { worker, ...rest }
    post({ kind: 'log', level, fields, err: err === undefined ? undefined : toCrossing(err), message })
  }
  return { debug: write('DEBUG'), info: write('INFO'), warn: write('WARN'), error: write('ERROR') }
}
