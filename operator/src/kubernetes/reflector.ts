import type { Clock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import { backoffDelay } from './backoff-delay.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import {
  KubernetesError,
  type KubernetesPort,
  type ObjectKey,
  type Resource,
  type Stored,
  type WatchEvent,
} from './kubernetes-port.ts'
import { listAll } from './list-all.ts'
import { type Change, createObjectStore, type ObjectStore, storeKey, storeVersion } from './object-store.ts'
import { pause } from './pause.ts'
import { type ReflectorSettings, reflectorSettings } from './reflector-settings.ts'
import { createRelistCheck, type RelistCheck } from './relist-check.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'
import { openWatch, type WatchConnection, type WatchEnd } from './watch-connection.ts'

export type Reflector<Kind> = Readonly<{
  get: (key: ObjectKey) => Kind | undefined
  all: () => readonly Kind[]
  /** Resolves with the first whole list. Rejects when closed before. */
  hasSynced: () => Promise<void>
  /** ms since the last event, bookmark or successful list: liveness fails above three times the watch's timeout. */
  ageMs: () => number
  close: () => Promise<void>
}>
export type ReflectorOptions<Kind> = Readonly<{
  /** Absent: every namespace. */
  namespace?: string
  labelSelector?: string
  log: Log
  clock: Clock
  random: () => number
  scheduler?: Scheduler
  metrics?: KubernetesMetrics
  /** Must be quick and only note what to do, as by a work queue: the object may be a later one by then. */
  onChange: (change: Change<Kind>) => void
  timings?: Partial<ReflectorSettings>
}>
type Relist = 'first' | 'expired' | 'failures' | 'missed'

const WARN_EVERY_MS = 30_000
const MISSED_LOGGED_MAX = 10

/**
 * Every object of a kind in memory, kept up to date for ever: list, then watch, then watch again; nothing but `close` ends
 * it. `onChange` hears each change of an object once, after `get` shows it, also those that only a list revealed; a throw
 * is caught, counted and logged. Order of versions of one object is kept; versions in between may be left out.
 */
export function createReflector<Kind extends Stored>(
  port: KubernetesPort,
  resource: Resource,
  options: ReflectorOptions<Kind>,
): Reflector<Kind> {
  const reflection = new Reflection(port, resource, options)
  const { store } = reflection
  const running = reflection.run()
  return {
    get: store.get,
    all: store.all,
    hasSynced: () => reflection.synced.promise,
    ageMs: () => reflection.ageMs(),
    close: async () => {
      await reflection.close()
      await running
    },
  }
}

class Reflection<Kind extends Stored> {
  readonly store: ObjectStore<Kind>
  readonly synced = Promise.withResolvers<void>()
  readonly #port: KubernetesPort
  readonly #resource: Resource
  readonly #options: ReflectorOptions<Kind>
  readonly #settings: ReflectorSettings
  readonly #scheduler: Scheduler
  readonly #selected: Readonly<{ namespace?: string; labelSelector?: string }>
  readonly #ending = new AbortController()
  readonly #check: RelistCheck
  readonly #source: Readonly<{ label: string; seconds: () => number }>
  #connection: WatchConnection | undefined
  #resourceVersion = ''
  /** In a row: without any event or bookmark that moved the version on. */
  #failures = 0
  #contactMs: number
  #counted = 0
  #warnedAtMs = Number.NEGATIVE_INFINITY

  constructor(port: KubernetesPort, resource: Resource, options: ReflectorOptions<Kind>) {
    const { clock, metrics, namespace, labelSelector } = options
    this.#port = port
    this.#resource = resource
    this.#options = options
    this.#settings = { ...reflectorSettings, ...options.timings }
    this.#scheduler = options.scheduler ?? systemScheduler
    this.#selected = {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    }
    this.store = createObjectStore(resource.kind, this.#settings.objectsMax)
    this.synced.promise.catch(() => {}) // Whoever awaits it hears of it; nobody has to.
    this.#contactMs = clock.monotonicMs()
    this.#check = this.#createCheck()
    this.#source = { label: resource.kind, seconds: () => this.ageMs() / 1_000 }
    metrics?.reflectors.add(this.#source)
  }

  ageMs(): number {
    return this.#options.clock.monotonicMs() - this.#contactMs
  }

  async run(): Promise<void> {
    let reason: Relist | undefined = 'first'
    while (!this.#ending.signal.aborted) {
      const ended = await this.#once(reason)
      if (this.#ending.signal.aborted) return
      if (ended.listed) reason = undefined
      if (ended.end === 'timeout') {
        this.#failures = 0
        continue
      }
      this.#failures++
      reason ??= this.#relistAfter(ended.end)
      await this.#backOff(ended)
    }
  }

  async close(): Promise<void> {
    const { metrics } = this.#options
    const { kind } = this.#resource
    this.#ending.abort()
    this.#connection?.cut('closed')
    this.synced.reject(
      new KubernetesError(`${kind}: closed before it had synced`, { status: 0, reason: 'Closed' }),
    )
    await this.#check.close()
    if (metrics?.reflectors.delete(this.#source) === true)
      metrics.reflectorObjects.dec({ kind }, this.#counted)
  }

  /** A list, where one is due, and one watch; never throws. */
  async #once(reason: Relist | undefined): Promise<WatchEnd & { listed: boolean }> {
    try {
      if (reason !== undefined) await this.#relist(reason)
    } catch (error) {
      return { end: 'failed', error, listed: false }
    }
    const ended = await this.#watch()
    if (ended.end !== 'closed')
      this.#options.metrics?.watchEnds.inc({ kind: this.#resource.kind, end: ended.end })
    return { ...ended, listed: true }
  }

  async #list(): Promise<Readonly<{ objects: readonly Kind[]; resourceVersion: string }>> {
    const of = { ...this.#selected, signal: this.#ending.signal }
    const listed = await listAll<Kind>(this.#port, this.#resource, of, this.#settings.objectsMax)
    this.#contact()
    return listed
  }

  async #relist(reason: Relist): Promise<void> {
    const { objects, resourceVersion } = await this.#list()
    if (this.#ending.signal.aborted) return
    this.#options.metrics?.relists.inc({ kind: this.#resource.kind, reason })
    this.#resourceVersion = resourceVersion
    this.#deliver(this.store.replace(objects))
    this.synced.resolve()
  }

  async #watch(): Promise<WatchEnd> {
    if (this.#ending.signal.aborted) return { end: 'closed' }
    const { clock, random } = this.#options
    const { watchSMin, watchSMax, silenceMarginMs, shortWatchMs } = this.#settings
    const timeoutS = Math.round(between(watchSMin, watchSMax, random))
    const resourceVersion = this.#resourceVersion
    this.#connection = openWatch(
      (signal) => this.#port.watch(this.#resource, { ...this.#selected, resourceVersion, timeoutS, signal }),
      (event) => this.#take(event),
      { silenceMs: timeoutS * 1_000 + silenceMarginMs, clock, scheduler: this.#scheduler },
    )
    const { startedMs, ended } = this.#connection
    const { end, error } = await ended
    this.#connection = undefined
    if (end === 'timeout' && clock.monotonicMs() - startedMs < shortWatchMs)
      return { end: 'failed', error: new Error('the server ended the watch at once') }
    return { end, error }
  }

  #take({ type, object }: WatchEvent): void {
    if (type === 'ERROR') throw refusalOf(object)
    const { metadata } = object as Partial<Stored>
    const version = metadata?.resourceVersion
    if (metadata === undefined || version === undefined)
      throw new KubernetesError(`an event ${type} without a version`, { status: 0, reason: 'Unreadable' })
    if (type !== 'BOOKMARK') {
      const of = object as Stored as Kind
      this.#check.touch(storeKey(metadata))
      this.#deliver(type === 'DELETED' ? this.store.remove(of) : this.store.set(of))
    }
    if (version !== this.#resourceVersion) this.#failures = 0
    this.#resourceVersion = version
    this.#contact()
  }

  #deliver(changes: readonly Change<Kind>[]): void {
    const { metrics, log, onChange } = this.#options
    const { kind } = this.#resource
    const held = this.store.size()
    metrics?.reflectorObjects.inc({ kind }, held - this.#counted)
    this.#counted = held
    for (const change of changes) {
      if (this.#ending.signal.aborted) return // Also when a handler closed it.
      try {
        onChange(change)
      } catch (err) {
        metrics?.handlerFailures.inc({ kind })
        log.error({ err, kind, key: storeKey(change.object.metadata) }, 'a handler failed on a change')
      }
    }
  }

  #contact(): void {
    this.#contactMs = this.#options.clock.monotonicMs()
  }

  #relistAfter(end: WatchEnd['end']): Relist | undefined {
    if (end === 'expired' || end === 'missed') return end
    return this.#failures >= this.#settings.failuresMax ? 'failures' : undefined
  }

  async #backOff({ end, error }: WatchEnd): Promise<void> {
    const { clock, log, random } = this.#options
    const { backoffMsMin, backoffMsMax } = this.#settings
    const delayMs = backoffDelay(this.#failures, backoffMsMin, backoffMsMax, random)
    if (clock.monotonicMs() - this.#warnedAtMs >= WARN_EVERY_MS) {
      this.#warnedAtMs = clock.monotonicMs()
      const fields = { err: error, kind: this.#resource.kind, end, failures: this.#failures, delayMs }
      log.warn(fields, 'a list or watch ended; trying again')
    }
    await pause(this.#scheduler, delayMs, this.#ending.signal)
  }

  #createCheck(): RelistCheck {
    const { clock, random, log, metrics } = this.#options
    const { checkMsMin, checkMsMax, checkGraceMs } = this.#settings
    const { kind } = this.#resource
    return createRelistCheck({
      scheduler: this.#scheduler,
      graceMs: checkGraceMs,
      everyMs: () => between(checkMsMin, checkMsMax, random),
      list: async () => {
        const { objects } = await this.#list()
        metrics?.relists.inc({ kind, reason: 'watchdog' })
        return new Map(objects.map((object) => [storeKey(object.metadata), storeVersion(object)]))
      },
      held: this.store.versions,
      connection: () => {
        const connection = this.#connection
        const old = connection !== undefined && clock.monotonicMs() - connection.startedMs >= checkGraceMs
        return old ? connection : undefined
      },
      onMissed: (keys) => {
        metrics?.missedEvents.inc({ kind }, keys.length)
        const fields = { kind, missed: keys.length, keys: keys.slice(0, MISSED_LOGGED_MAX) }
        log.error(fields, 'the watch missed changes, which is a bug; listing everything')
        this.#connection?.cut('missed')
      },
      onFailure: (err) => log.warn({ err, kind }, 'the list that checks the watch failed'),
    })
  }
}

const between = (min: number, max: number, random: () => number): number => min + (max - min) * random()

/** The Status inside an ERROR event. */
function refusalOf(status: Readonly<Record<string, unknown>>): KubernetesError {
  return new KubernetesError(`the watch was refused: ${status.message ?? ''}`, {
    status: typeof status.code === 'number' ? status.code : 0,
    reason: typeof status.reason === 'string' ? status.reason : '',
  })
}
