import { setTimeout as sleep } from 'node:timers/promises'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Clock } from './clock.ts'
import {
  type FetchedPartition,
  type KafkaCluster,
  outOfRange,
  READ_COMMITTED,
  readFetched,
} from './kafka-cluster.ts'
import { isUnknownTopic } from './kafka-gone-topics.ts'
import type { KafkaRecord, LogPosition, Take } from './kafka-port.ts'
import type { Log } from './log.ts'

type Followed = {
  readonly topic: string
  readonly partition: number
  readonly take: Take
  next: number
  paused: boolean
  ended: boolean
  /** Number of the last fetch that named it: where two follow one partition from different places, they take turns. */
  turn: number
  readonly fail: (error: unknown) => void
}
type Parts = Readonly<{
  cluster: KafkaCluster
  clock: Clock
  log: Log
  offsetRange: (topic: string, partition: number) => Promise<{ startOffset: number; endOffset: number }>
}>

/** A fetch stands open this long when nothing comes; a partition that is added meanwhile waits at most as long. */
const FETCH_WAIT_MS = 100
const FETCH_BYTES_MAX = 8 << 20
const FETCH_PARTITION_BYTES_MAX = 1 << 20
const BACKOFF_MS_MAX = 2_000
/** A partition whose new leader somebody else's refresh brought is left unread at most this long. */
const LEADERS_CHECK_MS = 1_000
/** Partitions that one process follows; more is a bug or a cluster far beyond what was ever tried. */
const FOLLOWED_MAX = 16_384

/**
 * Reads many partitions with one fetch loop a broker: every request names all partitions that it leads and that are not
 * paused, with the offset each wants, so nothing is remembered by the broker and a leader change costs one refresh.
 */
export class KafkaFollower {
  private readonly parts: Parts
  private readonly followed = new Set<Followed>()
  private readonly ending = new AbortController()
  private readonly loops = new Map<string, Promise<void>>()
  private readonly sleepers = new Set<() => void>()
  private turns = 0
  private refreshing: Promise<void> | undefined
  private checking: NodeJS.Timeout | undefined

  constructor(parts: Parts) {
    this.parts = parts
  }

  /**
   * Resolves when `signal` aborts; rejects when the position lies outside the log, the topic is deleted, `take` throws, or
   * the client closes.
   */
  async follow(position: LogPosition, take: Take, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    if (this.followed.size >= FOLLOWED_MAX) {
      throw new TrueNowError('TN_OVERLOADED', `${FOLLOWED_MAX} partitions are followed already.`)
    }
    const { topic, partition, nextOffset } = position
    await addTopic(this.parts.cluster, topic)
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        one.ended = true
        this.followed.delete(one)
        signal.removeEventListener('abort', stop)
        if (this.followed.size === 0) this.stopChecking()
        this.wake()
      }
      const fail = (error: unknown) => {
        end()
        reject(error)
      }
      const stop = () => {
        end()
        resolve()
      }
      const one: Followed = {
        topic,
        partition,
        take,
        next: nextOffset,
        paused: false,
        ended: false,
        turn: 0,
        fail,
      }
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) return stop()
      this.followed.add(one)
      this.checking ??= setInterval(() => this.ensureLoops(), LEADERS_CHECK_MS)
      this.ensureLoops()
    })
  }

  async close(): Promise<void> {
    this.ending.abort()
    const closed = new TrueNowError('TN_SHUTTING_DOWN', 'The Kafka client was closed.')
    for (const one of [...this.followed]) one.fail(closed)
    this.wake()
    await Promise.all([...this.loops.values(), this.refreshing])
  }

  private stopChecking(): void {
    clearInterval(this.checking)
    this.checking = undefined
  }

  private wake(): void {
    for (const one of this.sleepers) one()
    this.sleepers.clear()
  }

  private leaderOf({ topic, partition }: Followed): string | undefined {
    try {
      return Object.keys(this.parts.cluster.findLeaderForPartitions(topic, [partition]))[0]
    } catch {
      return undefined // No metadata of it yet: the refresh brings it.
    }
  }

  private async loop(nodeId: string): Promise<void> {
    let failures = 0
    while (!this.ending.signal.aborted) {
      const mine = [...this.followed].filter((one) => this.leaderOf(one) === nodeId)
      if (mine.length === 0) break
      const ready = onePerPartition(mine.filter(({ paused }) => !paused))
      if (ready.length === 0) {
        await new Promise<void>((resolve) => this.sleepers.add(resolve))
        continue
      }
      try {
        await this.fetchOnce(nodeId, ready)
        failures = 0
      } catch (error) {
        if (await this.endedByRange(ready, error)) continue
        failures += 1
        await this.recover(nodeId, failures, error)
      }
    }
    this.loops.delete(nodeId)
    this.ensureLoops()
  }

  private async recover(nodeId: string, failures: number, err: unknown): Promise<void> {
    const { log, cluster } = this.parts
    if (failures > 1) log.warn({ err, nodeId, failures }, 'fetching from Kafka failed; trying again')
    const backoffMs = Math.min(50 * 2 ** failures, BACKOFF_MS_MAX)
    await sleep(backoffMs, undefined, { signal: this.ending.signal }).catch(() => {})
    await cluster.refreshMetadata().catch(() => {}) // Still away: the next pass fails and says so.
    this.ensureLoops()
  }

  private async fetchOnce(nodeId: string, ready: readonly Followed[]): Promise<void> {
    const broker = await this.parts.cluster.findBroker({ nodeId })
    this.turns += 1
    for (const one of ready) one.turn = this.turns
    const wanted = new Map(ready.map((one) => [`${one.topic}/${one.partition}`, { one, offset: one.next }]))
    const { responses } = await broker.fetch({
      maxWaitTime: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES_MAX,
      isolationLevel: READ_COMMITTED,
      topics: ready.map(({ topic, partition, next }) => ({
        topic,
        partitions: [{ partition, fetchOffset: String(next), maxBytes: FETCH_PARTITION_BYTES_MAX }],
      })),
    })
    const fetchedAtMs = this.parts.clock.monotonicMs()
    for (const { topicName, partitions } of responses) {
      for (const data of partitions) {
        const found = wanted.get(`${topicName}/${data.partition}`)
        if (found !== undefined) this.deliver(found.one, found.offset, data, fetchedAtMs)
      }
    }
  }

  private deliver(one: Followed, offset: number, data: FetchedPartition, fetchedAtMs: number): void {
    if (one.ended || one.next !== offset) return
    const { messages, nextOffset } = readFetched(one.topic, offset, data)
    one.next = nextOffset
    try {
      const progress = { nextOffset, endOffset: Number(data.highWatermark), fetchedAtMs }
      const full = one.take(messages.map(toRecord), progress)
      if (full === undefined) return
      one.paused = true
      const resume = () => {
        one.paused = false
        this.wake()
      }
      full.then(resume, one.fail)
    } catch (error) {
      one.fail(error)
    }
  }

  /** A position outside the log ends its follower, with what is there; the others go on. */
  private async endedByRange(ready: readonly Followed[], error: unknown): Promise<boolean> {
    const place = outOfRange(error)
    const one = ready.find(({ topic, partition }) => topic === place?.topic && partition === place.partition)
    if (one === undefined) return false
    try {
      const range = await this.parts.offsetRange(one.topic, one.partition)
      if (one.next >= range.startOffset && one.next <= range.endOffset) return false
      const held = `[${range.startOffset}, ${range.endOffset})`
      const message = `${one.topic}/${one.partition} holds ${held}, ${one.next} was asked.`
      one.fail(new TrueNowError('TN_OFFSET_OUT_OF_RANGE', message, { cause: error, details: range }))
      return true
    } catch {
      return false // Nothing certain is known: try again, never jump.
    }
  }

  /** A topic that was deleted ends its followers, so that those of other topics are not asked to wait for it. */
  private endGone(topic: string, cause: unknown): void {
    if (!isUnknownTopic(cause)) return // Brokers are away: they come back with it or without.
    const gone = new TrueNowError('TN_KAFKA_UNAVAILABLE', `There is no topic ${topic} any more.`, { cause })
    for (const one of [...this.followed]) if (one.topic === topic) one.fail(gone)
  }

  /** Every leader has a loop, and one that slept looks again: a partition may have come to it. */
  private ensureLoops(): void {
    if (this.ending.signal.aborted) return
    this.wake()
    const leaders = [...this.followed].map((one) => this.leaderOf(one))
    for (const nodeId of new Set(leaders)) {
      if (nodeId !== undefined && !this.loops.has(nodeId)) this.loops.set(nodeId, this.loop(nodeId))
    }
    if (!leaders.includes(undefined)) return
    this.refreshing ??= this.refreshSoon().finally(() => {
      this.refreshing = undefined
      this.ensureLoops()
    })
  }

  private async refreshSoon(): Promise<void> {
    const { log, cluster } = this.parts
    await sleep(200, undefined, { signal: this.ending.signal }).catch(() => {})
    const lost = [...this.followed].filter((one) => this.leaderOf(one) === undefined)
    for (const topic of new Set(lost.map((one) => one.topic)))
      await cluster.addTargetTopic(topic).catch((error: unknown) => this.endGone(topic, error))
    await cluster
      .refreshMetadata()
      .catch((err: unknown) => log.warn({ err }, 'metadata of Kafka could not be read'))
  }
}

/** A fetch request may name a partition once only. */
function onePerPartition(followed: readonly Followed[]): Followed[] {
  const chosen = new Map<string, Followed>()
  for (const one of followed) {
    const place = `${one.topic}/${one.partition}`
    const other = chosen.get(place)
    if (other === undefined || one.turn < other.turn) chosen.set(place, one)
  }
  return [...chosen.values()]
}

/** Metadata of a topic that was created a moment ago may not be everywhere yet. */
async function addTopic(cluster: KafkaCluster, topic: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await cluster.addTargetTopic(topic)
    } catch (cause) {
      if (tries === 20)
        throw new TrueNowError('TN_KAFKA_UNAVAILABLE', `Kafka says nothing of topic ${topic}.`, { cause })
      await sleep(250)
    }
  }
}

function toRecord(
  message: Readonly<{
    offset: string
    timestamp: string
    value: Buffer | null
    headers: Readonly<Record<string, Buffer | string | undefined>>
  }>,
): KafkaRecord {
  const headers: Record<string, Buffer> = {}
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    if (value !== undefined) headers[name] = Buffer.from(value as string)
  }
  return {
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    headers,
    value: message.value ?? Buffer.alloc(0),
  }
}
