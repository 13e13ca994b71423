import type { Clock } from '@truenow/chassis/clock.ts'
import { backoffDelay } from './backoff-delay.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import { type CallOptions, KubernetesError } from './kubernetes-port.ts'
import { pause } from './pause.ts'
import type { Scheduler } from './scheduler.ts'
import { createTokenBucket } from './token-bucket.ts'

/** One HTTP exchange; resolves when the answer's head is there. Header names of the answer are in lower case. */
export type Send = (
  request: Readonly<{
    method: string
    /** From the API server's root, with its query. */
    path: string
    headers: Readonly<Record<string, string>>
    body?: string
    /** A connection that stays open: it must not take a place from those that do not. */
    streaming: boolean
    signal: AbortSignal
  }>,
) => Promise<
  Readonly<{
    status: number
    headers: Readonly<Record<string, string | readonly string[] | undefined>>
    body: AsyncIterable<Uint8Array>
  }>
>
export type Call = CallOptions &
  Readonly<{
    verb: string
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
    path: string
    contentType?: string
    body?: unknown
    /** Sent again after a failure that may have come after the deed. */
    repeatable: boolean
    signal?: AbortSignal | undefined
  }>
export type KubernetesCaller = Readonly<{
  /** The answer's JSON. Errors: KubernetesError. */
  call: (call: Call) => Promise<unknown>
  /** The answer's bytes for as long as it lasts; ends without an error when `signal` aborts. Errors: KubernetesError. */
  stream: (call: Call) => AsyncGenerator<Uint8Array>
  /** Nothing waits any more to be sent, or sent again, but what is urgent. */
  retire: () => void
  close: () => void
}>
export type CallerOptions = Readonly<{
  send: Send
  clock: Clock
  random: () => number
  scheduler: Scheduler
  /** Deadline of a call with its retries, and of a watch until its head is there. */
  requestTimeoutMs: number
  requestsPerSecondMax: number
  metrics?: KubernetesMetrics | undefined
}>

const ATTEMPTS_MAX = 4
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 2_000
/** A list of 500 objects is a few MB; more is no answer to be held in memory. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20
const BURST_SECONDS = 2

type Deadline = Readonly<{ signal: AbortSignal; leftMs: () => number; met: () => void; done: () => void }>

/**
 * Requests that end: each has a deadline, waits its turn under the rate limit (or fails at once if that turn comes too
 * late), and is sent at most ATTEMPTS_MAX times: after 429 always, as the server did nothing, after 5xx or no answer if
 * repeating is harmless. Retry-After is obeyed where the deadline allows.
 */
export function createKubernetesCaller(options: CallerOptions): KubernetesCaller {
  const { clock, scheduler, metrics, requestsPerSecondMax } = options
  const closing = new AbortController()
  const retiring = new AbortController()
  /** False once whoever asked is leaving: only what is urgent still waits. */
  const rest = async (ms: number, call: Call, deadline: Deadline): Promise<boolean> => {
    const leaving = call.urgent === true ? [] : [retiring.signal]
    await pause(scheduler, ms, deadline.signal, ...leaving)
    return !leaving.some(({ aborted }) => aborted)
  }
  const burst = requestsPerSecondMax * BURST_SECONDS
  const bucket = createTokenBucket({ perSecond: requestsPerSecondMax, burst, clock })

  const turn = async (call: Call, deadline: Deadline) => {
    if (call.urgent === true) return
    const waitMs = bucket.delayMs()
    if (waitMs > deadline.leftMs())
      throw noAnswer('RateLimited', `${name(call)}: more than ${requestsPerSecondMax} requests a second`)
    bucket.reserve()
    if (waitMs === 0) return
    metrics?.throttledSeconds.inc(waitMs / 1_000)
    if (!(await rest(waitMs, call, deadline))) throw noAnswer('Closed', `${name(call)}: whoever asked leaves`)
    deadline.signal.throwIfAborted()
  }
  /** Throws what it got as a KubernetesError. */
  const once = async <Answer>(
    call: Call,
    streaming: boolean,
    deadline: Deadline,
    take: (body: AsyncIterable<Uint8Array>) => Promise<Answer> | Answer,
  ) => {
    let status = 0
    try {
      deadline.signal.throwIfAborted()
      const answer = await options.send({
        method: call.method,
        path: call.path,
        headers: { accept: 'application/json', 'content-type': call.contentType ?? 'application/json' },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        streaming,
        signal: deadline.signal,
      })
      status = answer.status
      if (status < 200 || status > 299) throw await refusal(call, answer)
      return await take(answer.body)
    } catch (error) {
      throw failure(error, call, deadline.signal)
    } finally {
      metrics?.requests.inc({ verb: call.verb, code: String(status) })
    }
  }
  const call = async (call: Call) => {
    const startedMs = clock.monotonicMs()
    const deadline = createDeadline(options, call, closing.signal)
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          await turn(call, deadline)
          return await once(call, false, deadline, readJson)
        } catch (error) {
          const refused = failure(error, call, deadline.signal)
          const delayMs = retryDelay(refused, call, attempt, options.random)
          if (delayMs === undefined || delayMs >= deadline.leftMs()) throw refused
          if (!(await rest(delayMs, call, deadline))) throw refused
          metrics?.requestRetries.inc({ verb: call.verb })
        }
      }
    } finally {
      deadline.done()
      metrics?.requestSeconds.observe({ verb: call.verb }, (clock.monotonicMs() - startedMs) / 1_000)
    }
  }
  async function* stream(call: Call) {
    const deadline = createDeadline(options, call, closing.signal)
    try {
      await turn(call, deadline)
      const body = await once(call, true, deadline, (body) => body)
      deadline.met()
      yield* body
    } catch (error) {
      if (call.signal?.aborted !== true && !closing.signal.aborted)
        throw failure(error, call, deadline.signal)
    } finally {
      deadline.done()
    }
  }
  const close = () => closing.abort(noAnswer('Closed', 'the client is closed'))
  return { call, stream, retire: () => retiring.abort(), close }
}

/** Ends by time, by the caller's signal or by the client's end, each with a KubernetesError as its reason. */
function createDeadline(options: CallerOptions, call: Call, closing: AbortSignal): Deadline {
  const { clock, scheduler } = options
  const ending = new AbortController()
  const timeoutMs = call.timeoutMs ?? options.requestTimeoutMs
  const endMs = clock.monotonicMs() + timeoutMs
  const cancel = scheduler.after(timeoutMs, () =>
    ending.abort(noAnswer('Timeout', `${name(call)}: no answer within ${timeoutMs} ms`)),
  )
  const onAbort = () => ending.abort(noAnswer('Aborted', `${name(call)}: whoever asked has gone`))
  const onClose = () => ending.abort(closing.reason)
  call.signal?.addEventListener('abort', onAbort, { once: true })
  closing.addEventListener('abort', onClose, { once: true })
  if (call.signal?.aborted === true) onAbort()
  if (closing.aborted) onClose()
  return {
    signal: ending.signal,
    leftMs: () => endMs - clock.monotonicMs(),
    met: cancel,
    done: () => {
      cancel()
      call.signal?.removeEventListener('abort', onAbort)
      closing.removeEventListener('abort', onClose)
      ending.abort() // Whatever is still open of this call, such as a body that nobody reads to its end.
    },
  }
}

/** ms until the call may be sent again, undefined if it may not. */
function retryDelay(
  refused: KubernetesError,
  call: Call,
  attempt: number,
  random: () => number,
): number | undefined {
  const { status, reason, retryAfterS } = refused
  const lost = status >= 500 || (status === 0 && (reason === 'Unreachable' || reason === 'Unreadable'))
  if (attempt >= ATTEMPTS_MAX || !(status === 429 || (lost && call.repeatable))) return undefined
  return Math.max((retryAfterS ?? 0) * 1_000, backoffDelay(attempt, RETRY_MS_MIN, RETRY_MS_MAX, random))
}

/** What the server said against it: a Status object, or else whatever text came. */
async function refusal(call: Call, answer: Awaited<ReturnType<Send>>): Promise<KubernetesError> {
  const text = await readText(answer.body).catch(() => '') // The status alone tells enough.
  let said: Readonly<{ message?: unknown; reason?: unknown }> = {}
  try {
    said = JSON.parse(text) ?? {}
  } catch {
    said = { message: text.slice(0, 500) }
  }
  const after = Number(answer.headers['retry-after'] ?? Number.NaN)
  return new KubernetesError(`${name(call)}: ${answer.status} ${said.message ?? ''}`, {
    status: answer.status,
    reason: typeof said.reason === 'string' ? said.reason : '',
    retryAfterS: Number.isFinite(after) && after >= 0 ? after : undefined,
  })
}

function failure(error: unknown, call: Call, ended: AbortSignal): KubernetesError {
  if (error instanceof KubernetesError) return error
  if (ended.aborted && ended.reason instanceof KubernetesError) return ended.reason
  const said = error instanceof Error ? error.message : String(error)
  return noAnswer('Unreachable', `${name(call)}: ${said}`, { cause: error })
}

const noAnswer = (reason: string, message: string, options?: ErrorOptions): KubernetesError =>
  new KubernetesError(message, { status: 0, reason }, options)

const name = ({ method, path }: Call): string => `${method} ${path}`

async function readJson(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const text = await readText(body)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw noAnswer('Unreadable', `the answer is no JSON: ${text.slice(0, 100)}`, { cause: error })
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > ANSWER_BYTES_MAX)
      throw noAnswer('TooLarge', `an answer of more than ${ANSWER_BYTES_MAX} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
