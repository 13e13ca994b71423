import type { LogLevel } from '@truenow/chassis/log.ts'
import type { ErrorCode } from '@truenow/contracts/errors.ts'
import { ERROR_CODES, TrueNowError } from '@truenow/contracts/errors.ts'
import type { ShardWorker, WorkerCheck, WorkerSettings } from './shard-worker.ts'

/*
 * What a shard's main thread and a worker thread say to one another. A call is answered once, by its id; everything else is
 * said once and not answered. A request for rows or a copy crosses as its protobuf bytes, batches of an answer are transferred.
 */
export type WorkerMethod = keyof ShardWorker
/** To the worker. */
export type ToWorker =
  | Readonly<{ kind: 'call'; id: number; method: WorkerMethod; argument: unknown }>
  | Readonly<{ kind: 'abort'; id: number }>
  | Readonly<{ kind: 'ingesters'; addresses: readonly string[] }>
/** From the worker. */
export type FromWorker =
  | Readonly<{ kind: 'answer'; id: number; value: unknown }>
  | Readonly<{ kind: 'failure'; id: number; error: CrossingError }>
  | Readonly<{ kind: 'news' }>
  | Readonly<{ kind: 'check'; check: WorkerCheck; reason: string | undefined }>
  | Readonly<{ kind: 'beat'; residentBytes: number }>
  | Readonly<{
      kind: 'log'
      level: LogLevel
      fields: LogFields
      err: CrossingError | undefined
      message: string
    }>
type LogFields = Readonly<Record<string, unknown>>

/** What a worker thread is started with. `extra` is for entries of tests and benches. */
export type WorkerThreadData = Readonly<{
  settings: WorkerSettings
  ingesters: readonly string[]
  extra?: unknown
}>

/** An error as data: a thread's own copy of it keeps neither class nor code. */
export type CrossingError = Readonly<{
  code: string
  message: string
  details: Readonly<Record<string, unknown>>
  stack: string
}>

/** Takes an error apart; one without a code of ours has an empty one. */
export function toCrossing(error: unknown): CrossingError {
  const known = error instanceof TrueNowError
  return {
    code: known ? error.code : '',
    message: error instanceof Error ? error.message : String(error),
    details: known ? error.details : {},
    stack: error instanceof Error ? (error.stack ?? '') : '',
  }
}

/** The error again, with the stack of the thread that threw it. */
export function fromCrossing({ code, message, details, stack }: CrossingError): Error {
  const error = Object.hasOwn(ERROR_CODES, code)
    ? new TrueNowError(code as ErrorCode, message, { details })
    : new Error(message)
  error.stack = stack
  return error
}
