import type { Clock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import { KubernetesError, type KubernetesPort, type Resource, type Stored } from './kubernetes-port.ts'
import { microTime } from './micro-time.ts'
import { createTokenBucket, type TokenBucket } from './token-bucket.ts'

export type KubernetesEvent = Readonly<{
  type: 'Normal' | 'Warning'
  reason: string
  action: string
  note: string
}>
export type EventRecorder = Readonly<{
  /** Resolves when it is written, counted or given up; never rejects. Takes at most CALL_TIMEOUT_MS a request. */
  record: (regarding: Stored, event: KubernetesEvent) => Promise<void>
}>
export type EventRecorderOptions = Readonly<{
  /** The operator's pod: who reports, and whom an event regards that its own namespace cannot take. */
  reportingInstance: string
  fallbackNamespace: string
  clock: Clock
  log: Log
  metrics?: KubernetesMetrics
}>

const EVENTS: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' }
const REPORTING_CONTROLLER = 'truenow.io/operator'
/** What the API server takes, in bytes of UTF-8 and in characters. */
const NOTE_BYTES_MAX = 1_024
const FIELD_LENGTH_MAX = 128
const NAME_LENGTH_MAX = 253
const SERIES_MAX = 2_000
/** A series that was not repeated for so long has ended; the next one is a new event. */
const SERIES_MS_MAX = 360_000
/** Repeats are counted here and told to the API server no more often than this. */
const SERIES_WRITE_MS_MIN = 60_000
/** Different events about one object: a note that changes with each pass must not fill etcd. */
const OBJECT_BURST_MAX = 50
const OBJECT_PER_SECOND_MAX = 1 / 30
const CALL_TIMEOUT_MS = 5_000

type Series = { name: string; namespace: string; count: number; lastMs: number; writtenMs: number }

/**
 * Writes Events as `kubectl describe` shows them. The same again within six minutes is counted on the first one, at most once a
 * minute; the very last repeats of a series may stay uncounted. When the object's namespace is going or gone, the event goes
 * to `fallbackNamespace` and regards this pod there, as an event must lie where its object does; its note names the object.
 */
export function createEventRecorder(port: KubernetesPort, options: EventRecorderOptions): EventRecorder {
  const { clock, log, metrics } = options
  const known = new Map<string, Series>()
  const buckets = new Map<string, TokenBucket>()
  let sequence = 0

  const writeNew = async (key: string, regarding: Stored, event: KubernetesEvent) => {
    const nowMs = clock.monotonicMs()
    const series: Series = { name: '', namespace: '', count: 1, lastMs: nowMs, writtenMs: nowMs }
    remember(known, key, series) // Before it is written, so that a repeat meanwhile is one.
    try {
      const suffix = `${clock.nowUs().toString(16)}${(sequence++ % 256).toString(16).padStart(2, '0')}`
      const written = await create(port, eventAbout(regarding, event, suffix, options), options)
      Object.assign(series, written)
    } catch (error) {
      if (known.get(key) === series) known.delete(key) // Its next occurrence tries again.
      throw error
    }
  }
  const repeat = async (key: string, series: Series, regarding: Stored, event: KubernetesEvent) => {
    const nowMs = clock.monotonicMs()
    series.count += 1
    series.lastMs = nowMs
    if (series.name === '' || nowMs - series.writtenMs < SERIES_WRITE_MS_MIN) return 'suppressed'
    series.writtenMs = nowMs
    const patch = {
      series: { count: series.count, lastObservedTime: microTime.format(clock.nowUs()) },
    }
    try {
      await port.mergePatch(EVENTS, series, patch, { timeoutMs: CALL_TIMEOUT_MS })
    } catch (error) {
      if (!isStatus(error, 404)) throw error
      await writeNew(key, regarding, event) // The API server keeps events for an hour.
    }
    return 'repeated'
  }
  const write = async (regarding: Stored, event: KubernetesEvent) => {
    const key = JSON.stringify([regarding.metadata.uid, event.type, event.reason, event.action, event.note])
    const series = known.get(key)
    if (series !== undefined && clock.monotonicMs() - series.lastMs < SERIES_MS_MAX)
      return repeat(key, series, regarding, event)
    if (!admit(buckets, regarding, clock)) return 'suppressed'
    await writeNew(key, regarding, event)
    return 'created'
  }
  return {
    record: async (regarding, event) => {
      const outcome = await write(regarding, event).catch((err: unknown) => {
        const { kind, metadata } = regarding
        const about = { kind, namespace: metadata.namespace, name: metadata.name }
        log.warn({ err, ...about, ...event }, 'an event could not be recorded')
        return 'failed'
      })
      metrics?.recordedEvents.inc({ outcome })
    },
  }
}

/** Errors: KubernetesError when neither namespace takes it. */
async function create(
  port: KubernetesPort,
  { here, elsewhere }: ReturnType<typeof eventAbout>,
  { fallbackNamespace }: EventRecorderOptions,
): Promise<Pick<Series, 'name' | 'namespace'>> {
  try {
    await port.create(EVENTS, here, { timeoutMs: CALL_TIMEOUT_MS })
    return here.metadata
  } catch (error) {
    const refused = isStatus(error, 403) || isStatus(error, 404)
    if (!refused || here.metadata.namespace === fallbackNamespace) throw error
    await port.create(EVENTS, elsewhere, { timeoutMs: CALL_TIMEOUT_MS })
    return elsewhere.metadata
  }
}

function eventAbout(
  { apiVersion, kind, metadata }: Stored,
  { type, reason, action, note }: KubernetesEvent,
  suffix: string,
  { reportingInstance, fallbackNamespace, clock }: EventRecorderOptions,
): Readonly<{ here: KubernetesObject; elsewhere: KubernetesObject }> {
  const { namespace, name, uid } = metadata
  const of = (regarding: Readonly<{ namespace: string; name: string }>, text: string): KubernetesObject => ({
    apiVersion: EVENTS.apiVersion,
    kind: EVENTS.kind,
    metadata: {
      namespace: regarding.namespace,
      name: `${regarding.name.slice(0, NAME_LENGTH_MAX - suffix.length - 1).replace(/[.-]+$/, '')}.${suffix}`,
    },
    eventTime: microTime.format(clock.nowUs()),
    reportingController: REPORTING_CONTROLLER,
    reportingInstance: reportingInstance.slice(0, FIELD_LENGTH_MAX),
    type,
    reason: reason.slice(0, FIELD_LENGTH_MAX),
    action: action.slice(0, FIELD_LENGTH_MAX),
    regarding,
    note: cutToBytes(text, NOTE_BYTES_MAX),
  })
  const object = { apiVersion, kind, namespace, name, uid }
  const pod = { apiVersion: 'v1', kind: 'Pod', namespace: fallbackNamespace, name: reportingInstance }
  return { here: of(object, note), elsewhere: of(pod, `${kind} ${namespace}/${name}: ${note}`) }
}

/** At most `bytesMax` bytes of UTF-8, ending with … where something is missing. */
export function cutToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= bytesMax) return text
  const room = bytesMax - Buffer.byteLength('…')
  let end = room
  while (end > 0 && ((bytes[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end-- // Not inside a character.
  return `${bytes.toString('utf8', 0, end)}…`
}

/** The newest are kept: an old one that is forgotten merely starts anew. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  const [oldest] = map.keys()
  if (map.size >= SERIES_MAX && oldest !== undefined) map.delete(oldest)
  map.set(key, value)
}

function admit(buckets: Map<string, TokenBucket>, { metadata }: Stored, clock: Clock): boolean {
  const settings = { perSecond: OBJECT_PER_SECOND_MAX, burst: OBJECT_BURST_MAX, clock }
  const bucket = buckets.get(metadata.uid) ?? createTokenBucket(settings)
  remember(buckets, metadata.uid, bucket)
  if (bucket.delayMs() > 0) return false
  bucket.reserve()
  return true
}

const isStatus = (error: unknown, status: number): boolean =>
  error instanceof KubernetesError && error.status === status
