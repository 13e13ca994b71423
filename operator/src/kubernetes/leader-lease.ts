import type { Clock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import { KubernetesError, type KubernetesPort } from './kubernetes-port.ts'
import { LEASES, type Lease, leaseRecord, mayTake, type SeenLease } from './lease-record.ts'
import { pause } from './pause.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'

export type LeaseTimings = Readonly<{ leaseMs: number; renewDeadlineMs: number; retryMs: number }>
/** Grows with every new holder: the control plane grants an epoch for a greater one only. */
export type LeaseTerm = Readonly<{ createdAt: string; transitions: number }>
export type LeaderLease = Readonly<{
  /** Resolves when this process leads. Rejects when `signal` aborts, and once the lease is lost or closed. */
  whenLeader: (signal: AbortSignal) => Promise<void>
  /** By the clock at this very moment: false at the renew deadline even if this process slept until now. */
  isLeader: () => boolean
  /** Who holds the lease as far as this process knows; undefined when it is free. */
  holder: () => string | undefined
  /** What this process leads by; undefined while it does not. */
  term: () => LeaseTerm | undefined
  /** Releases, so that the next need not wait for the lease's end. */
  close: () => Promise<void>
}>
export type LeaderLeaseOptions = Readonly<{
  namespace: string
  name: string
  /** Unique for each start of a process: two that share it would both lead. */
  identity: string
  clock: Clock
  random: () => number
  scheduler?: Scheduler
  log: Log
  metrics?: KubernetesMetrics
  /** Once, and for good: end the process, whose next start is a new candidate. */
  onLost: () => void
  timings?: Partial<LeaseTimings>
}>

const TIMINGS: LeaseTimings = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }
/** Candidates come apart; the holder keeps its pace. As in client-go. */
const JITTER = 1.2

/**
 * One leader at a time, by client-go's algorithm. A candidate waits for `leaseMs` from when it *saw* the record change, by
 * its own monotonic clock; a holder leads for `renewDeadlineMs` from before it *sent* its last successful renewal. So two
 * never lead at once while their clocks run at the same rate, however long a request or a process stalls. What a virtual
 * machine's suspension does to its clock is beyond this: commands carry the epoch that `term` was granted.
 */
export function createLeaderLease(port: KubernetesPort, options: LeaderLeaseOptions): LeaderLease {
  const election = new Election(port, options)
  const running = election.run()
  let closing: Promise<void> | undefined
  return {
    whenLeader: (signal) => election.whenLeader(signal),
    isLeader: () => election.isLeader(),
    holder: () => election.holder(),
    term: () => election.term(),
    close: () => {
      closing ??= election.close(running)
      return closing
    },
  }
}

class Election {
  readonly #port: KubernetesPort
  readonly #options: LeaderLeaseOptions
  readonly #timings: LeaseTimings
  readonly #scheduler: Scheduler
  readonly #ending = new AbortController()
  readonly #lost = new AbortController()
  readonly #either = AbortSignal.any([this.#ending.signal, this.#lost.signal])
  readonly #elected = Promise.withResolvers<void>()
  #seen: SeenLease | undefined
  #leadingUntilMs: number | undefined
  #cancelLoss = () => {}

  constructor(port: KubernetesPort, options: LeaderLeaseOptions) {
    this.#port = port
    this.#options = options
    this.#timings = { ...TIMINGS, ...options.timings }
    this.#scheduler = options.scheduler ?? systemScheduler
    this.#elected.promise.catch(() => {}) // Nobody has to wait for it.
  }

  isLeader(): boolean {
    if (this.#leadingUntilMs === undefined || this.#lost.signal.aborted) return false
    if (this.#options.clock.monotonicMs() < this.#leadingUntilMs) return true
    this.#lose('it was not renewed in time') // For good: whoever heard "no" must not hear "yes" again.
    return false
  }

  holder(): string | undefined {
    return this.#seen?.lease?.spec.holderIdentity || undefined
  }

  term(): LeaseTerm | undefined {
    const lease = this.#seen?.lease
    if (lease === undefined || !this.isLeader()) return undefined
    return {
      createdAt: lease.metadata.creationTimestamp ?? '',
      transitions: lease.spec.leaseTransitions ?? 0,
    }
  }

  whenLeader(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      void this.#elected.promise
        .then(() => (this.isLeader() ? resolve() : reject(notLeading(this.#options.name))), reject)
        .finally(() => signal.removeEventListener('abort', onAbort))
    })
  }

  async run(): Promise<void> {
    const { random, log, metrics, name } = this.#options
    while (!this.#ended()) {
      const leading = this.#leadingUntilMs !== undefined
      const again = await (leading ? this.#renew() : this.#acquire()).catch((err: unknown) => {
        metrics?.leaseFailures.inc()
        log.warn({ err, lease: name, leading }, 'the lease could not be read or written')
        return false
      })
      if (this.#ended()) return
      if (again) continue
      const jitter = this.#leadingUntilMs === undefined ? 1 + JITTER * random() : 1
      await pause(this.#scheduler, this.#timings.retryMs * jitter, this.#either)
    }
  }

  async close(running: Promise<void>): Promise<void> {
    const lost = this.#lost.signal.aborted
    this.#cancelLoss()
    this.#leadingUntilMs = undefined // Before anybody else can be told that the lease is free.
    this.#options.metrics?.leading.set(0)
    this.#ending.abort()
    this.#elected.reject(notLeading(this.#options.name))
    await running
    if (!lost) await this.#release() // Also what was taken while closing.
  }

  /** Answers whether to try again at once. */
  async #acquire(): Promise<boolean> {
    const { clock, identity, namespace, name } = this.#options
    this.#see(await this.#port.get<Lease>(LEASES, { namespace, name }, this.#call()))
    if (this.#ended() || this.#seen === undefined) return false
    if (!mayTake(this.#seen, identity, clock.monotonicMs(), this.#timings.leaseMs)) return false
    const startedMs = clock.monotonicMs()
    const { lease } = this.#seen
    const record = leaseRecord(lease, { ...this.#options, leaseMs: this.#timings.leaseMs })
    try {
      const taken = await (lease === undefined
        ? this.#port.create<Lease>(LEASES, record, this.#call())
        : this.#port.replace<Lease>(LEASES, record, this.#call()))
      this.#see(taken)
    } catch (error) {
      if (isRaced(error)) return false // Somebody else was first; the next look tells who.
      throw error
    }
    this.#hold(startedMs)
    return false
  }

  async #renew(): Promise<boolean> {
    const { clock, identity, namespace, name } = this.#options
    const startedMs = clock.monotonicMs()
    const lease = this.#seen?.lease
    if (lease?.spec.holderIdentity !== identity) {
      this.#lose(lease === undefined ? 'it was deleted' : `${lease.spec.holderIdentity || 'nobody'} holds it`)
      return false
    }
    const record = leaseRecord(lease, { ...this.#options, leaseMs: this.#timings.leaseMs })
    try {
      this.#see(await this.#port.replace<Lease>(LEASES, record, this.#call()))
    } catch (error) {
      if (!isRaced(error)) throw error
      // Somebody wrote it: another holder, or merely a label, or we ourselves by an answer that was lost.
      this.#see(await this.#port.get<Lease>(LEASES, { namespace, name }, this.#call()))
      return true
    }
    if (this.isLeader()) this.#hold(startedMs)
    return false
  }

  async #release(): Promise<void> {
    const { log, identity, name } = this.#options
    const lease = this.#seen?.lease
    if (lease?.spec.holderIdentity !== identity) return
    const record = leaseRecord(lease, { ...this.#options, identity: '', leaseMs: this.#timings.leaseMs })
    await this.#port.replace<Lease>(LEASES, record, this.#call()).catch((err: unknown) => {
      log.warn({ err, lease: name }, 'the lease was not released; the next leader has to wait for its end')
    })
  }

  /** From `startedMs`, before the request left: others count from when it took effect, which was later. */
  #hold(startedMs: number): void {
    if (this.#ended()) return
    const { clock, metrics, log, name, identity } = this.#options
    const untilMs = startedMs + this.#timings.renewDeadlineMs
    const leftMs = untilMs - clock.monotonicMs()
    if (this.#leadingUntilMs === undefined && leftMs <= 0) return // The answer came too late; the record is ours, though.
    const first = this.#leadingUntilMs === undefined
    this.#leadingUntilMs = untilMs
    this.#cancelLoss()
    this.#cancelLoss = this.#scheduler.after(leftMs, () => void this.isLeader())
    if (!first) return
    metrics?.leading.set(1)
    log.info({ lease: name, identity, ...this.term() }, 'this process leads')
    this.#elected.resolve()
  }

  #lose(why: string): void {
    if (this.#ended()) return
    const { log, metrics, name, onLost } = this.#options
    this.#cancelLoss()
    this.#lost.abort()
    metrics?.leading.set(0)
    log.error({ lease: name, holder: this.holder(), why }, 'this process no longer leads')
    try {
      onLost()
    } catch (err) {
      log.error({ err }, 'what was to be done on the loss of the lease failed')
    }
  }

  #see(lease: Lease | undefined): void {
    const { clock, log, metrics, name } = this.#options
    const record = JSON.stringify([lease?.metadata.uid, lease?.spec])
    const before = this.#seen
    const atMs = before?.record === record ? before.atMs : clock.monotonicMs()
    const held = before !== undefined && this.holder() !== undefined
    this.#seen = { lease, record, atMs, vanished: lease === undefined && (before?.vanished === true || held) }
    const holder = this.holder()
    if (before !== undefined && holder === (before.lease?.spec.holderIdentity || undefined)) return
    if (holder !== undefined) metrics?.leaderChanges.inc()
    log.info(
      { lease: name, holder },
      holder === undefined ? 'the lease is free' : 'the lease has a new holder',
    )
  }

  #ended(): boolean {
    return this.#ending.signal.aborted || this.#lost.signal.aborted
  }

  /** A call that hangs must leave time for another before the deadline. */
  #call(): { timeoutMs: number; urgent: true } {
    return { timeoutMs: this.#timings.renewDeadlineMs / 2, urgent: true }
  }
}

const notLeading = (name: string): KubernetesError =>
  new KubernetesError(`This process does not lead: lease ${name}.`, { status: 0, reason: 'NotLeading' })

/** The record is not as it was: changed, made by another, or gone. */
const isRaced = (error: unknown): boolean =>
  error instanceof KubernetesError && (error.status === 409 || error.status === 404)
