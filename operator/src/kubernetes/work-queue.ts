import type { Clock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import { backoffDelay } from './backoff-delay.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'
import { createTokenBucket, type TokenBucket } from './token-bucket.ts'

export type WorkQueue = Readonly<{
  /** Due now. Errors: RangeError above `keysMax` keys. */
  add: (key: string) => void
  /** Due in `ms`, or earlier if it was to be earlier. Errors: as `add`. */
  addAfter: (key: string, ms: number) => void
  /** Starts nothing any more, aborts what runs and resolves when it has ended. */
  close: () => Promise<void>
}>
export type WorkQueueOptions = Readonly<{
  clock: Clock
  random: () => number
  scheduler?: Scheduler
  /** One pass over the object of this key; a number of ms asks for the next. A throw is retried with backoff. */
  // biome-ignore lint/suspicious/noConfusingVoidType: whoever asks for nothing returns nothing.
  work: (key: string, signal: AbortSignal) => Promise<void | { afterMs: number }>
  concurrency: number
  log: Log
  metrics?: KubernetesMetrics
  /** Label of its metrics. */
  name?: string
  keysMax?: number
}>

const BACKOFF_MS_MIN = 5
const BACKOFF_MS_MAX = 1_000_000
/** All retries together: an API server that refuses everything must not be asked by every key at once. */
const RETRIES_PER_SECOND_MAX = 10
const RETRY_BURST_MAX = 100
const KEYS_MAX = 100_000

/**
 * Keys, each worked on by at most one at a time. However often a key is added while it waits, it is worked on once; added
 * while it is worked on, it is once more, afterwards: no change is ever passed over. A key whose work throws comes back
 * after 5 ms, doubling up to 1000 s, until it succeeds; being added meanwhile does not wait for that.
 */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const queue = new Queue(options)
  return {
    add: (key) => queue.add(key),
    addAfter: (key, ms) => queue.addAfter(key, ms),
    close: () => queue.close(),
  }
}

class Queue {
  readonly #options: WorkQueueOptions
  readonly #scheduler: Scheduler
  readonly #retries: TokenBucket
  readonly #keysMax: number
  readonly #labels: { queue: string }
  readonly #ending = new AbortController()
  /** Due, in order of being so, with the time since. */
  readonly #ready = new Map<string, number>()
  readonly #running = new Map<string, Readonly<{ startedMs: number; ended: Promise<void> }>>()
  /** Added while running, with the time of the first. */
  readonly #again = new Map<string, number>()
  readonly #later = new Map<string, Readonly<{ dueMs: number; cancel: () => void }>>()
  readonly #failures = new Map<string, number>()
  readonly #source: Readonly<{ label: string; seconds: () => number }>

  #starting = false

  constructor(options: WorkQueueOptions) {
    const { clock, name = 'default', metrics } = options
    this.#options = options
    this.#scheduler = options.scheduler ?? systemScheduler
    this.#keysMax = options.keysMax ?? KEYS_MAX
    this.#labels = { queue: name }
    this.#retries = createTokenBucket({ perSecond: RETRIES_PER_SECOND_MAX, burst: RETRY_BURST_MAX, clock })
    this.#source = { label: name, seconds: () => this.#longestRunningMs() / 1_000 }
    metrics?.longestRunning.add(this.#source)
  }

  add(key: string): void {
    if (this.#ending.signal.aborted || this.#ready.has(key) || this.#again.has(key)) return
    this.#admit(key)
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#running.has(key)) {
      this.#again.set(key, nowMs)
      return
    }
    this.#ready.set(key, nowMs)
    this.#start()
  }

  addAfter(key: string, ms: number): void {
    if (this.#ending.signal.aborted) return
    if (!(ms > 0)) {
      this.add(key)
      return
    }
    this.#admit(key)
    const dueMs = this.#options.clock.monotonicMs() + ms
    const waiting = this.#later.get(key)
    if (waiting !== undefined && waiting.dueMs <= dueMs) return
    waiting?.cancel()
    const cancel = this.#scheduler.after(ms, () => {
      this.#later.delete(key)
      this.add(key)
    })
    this.#later.set(key, { dueMs, cancel })
  }

  async close(): Promise<void> {
    this.#ending.abort()
    for (const { cancel } of this.#later.values()) cancel()
    for (const keys of [this.#later, this.#ready, this.#again, this.#failures]) keys.clear()
    await Promise.all([...this.#running.values()].map(({ ended }) => ended))
    this.#options.metrics?.longestRunning.delete(this.#source)
    this.#observeDepth()
  }

  #admit(key: string): void {
    const known = [this.#ready, this.#running, this.#later]
    if (known.some((keys) => keys.has(key))) return
    const held = known.reduce((sum, keys) => sum + keys.size, 0)
    if (held >= this.#keysMax) throw new RangeError(`The work queue holds ${held} keys: '${key}' is refused.`)
  }

  /** Not in the caller's own stack: whoever adds is a handler, has more to add and must not wait for a pass. */
  #start(): void {
    this.#observeDepth()
    if (this.#starting) return
    this.#starting = true
    queueMicrotask(() => {
      this.#starting = false
      this.#fill()
    })
  }

  #fill(): void {
    const { clock, concurrency, metrics } = this.#options
    while (this.#running.size < concurrency && !this.#ending.signal.aborted) {
      const [next] = this.#ready
      if (next === undefined) break
      const [key, sinceMs] = next
      this.#ready.delete(key)
      const startedMs = clock.monotonicMs()
      metrics?.queueWaitSeconds.observe(this.#labels, (startedMs - sinceMs) / 1_000)
      const ended = Promise.resolve().then(() => this.#run(key, startedMs)) // After it is known to run.
      this.#running.set(key, { startedMs, ended })
    }
    this.#observeDepth()
  }

  async #run(key: string, startedMs: number): Promise<void> {
    const { work, log, metrics, clock } = this.#options
    let afterMs: number | undefined
    try {
      const answer = (await work(key, this.#ending.signal)) ?? undefined
      this.#failures.delete(key)
      afterMs = answer?.afterMs
    } catch (err) {
      afterMs = this.#retryAfter(key)
      if (!this.#ending.signal.aborted) log.warn({ err, key, afterMs }, 'work failed; it will be repeated')
    }
    metrics?.queueWorkSeconds.observe(this.#labels, (clock.monotonicMs() - startedMs) / 1_000)
    this.#running.delete(key)
    const againMs = this.#again.get(key)
    this.#again.delete(key)
    if (this.#ending.signal.aborted) return
    if (againMs !== undefined) this.#ready.set(key, againMs)
    if (afterMs !== undefined) this.addAfter(key, afterMs)
    this.#start()
  }

  #retryAfter(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    this.#options.metrics?.queueRetries.inc(this.#labels)
    const backoffMs = backoffDelay(failures, BACKOFF_MS_MIN, BACKOFF_MS_MAX, this.#options.random)
    return Math.max(backoffMs, this.#retries.reserve())
  }

  #longestRunningMs(): number {
    const started = [...this.#running.values()].map(({ startedMs }) => startedMs)
    return started.length === 0 ? 0 : this.#options.clock.monotonicMs() - Math.min(...started)
  }

  #observeDepth(): void {
    this.#options.metrics?.queueDepth.set(this.#labels, this.#ready.size + this.#again.size)
  }
}
