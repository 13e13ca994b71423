import type { SlotView, TableView } from '@truenow/chassis/catalog-view.ts'
import type { Clock } from '@truenow/chassis/clock.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { SubscribeEvent } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { blockMismatch, decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import type { IdCounters } from '@truenow/kernels/replica/id-window.ts'
import type { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { KeySample, type TopKey } from './key-sample.ts'
import type { HotTierMetrics } from './metrics.ts'
import { SlotLoad } from './slot-load.ts'
import type { SnapshotStore } from './snapshot-store.ts'

/** Offsets at which a state hash is kept, so that two replicas that move have one in common. */
const HASH_PERIOD_RECORDS = 256

export type Assignment = Readonly<{
  epoch: number
  incarnation: number
  state: ReplicaState
  shards: readonly number[]
}>
export type SlotKey = Readonly<{ namespace: string; name: string; uid: string; slot: number }>

/** Share of what a slot may take (slot-heat.ts) from which on its keys are counted; below half of it no longer. */
const WARM_HEAT_MIN = 0.25

/** Names a slot among all of a shard's. */
export const slotName = (namespace: string, name: string, slot: number): string =>
  `${namespace}.${name}/${slot}`

/** What a stream's events come to: go on, or why the stream must end. */
export type Taken = 'taken' | 'broken-chain' | 'log-rewritten'

/**
 * One replica on this shard: its state, its place in the catalog, how far the log goes, and its snapshots. Applying is
 * synchronous, so a query that takes its cut between two events sees whole blocks only.
 */
export class ShardSlot {
  readonly key: SlotKey
  replica: SlotReplica
  assignment: Assignment
  table: TableView
  /** Next offset of the log, as the stream last told; -1 = it has not spoken yet. */
  endOffset = -1
  progressedAtUs = 0
  /** Event time up to which an idle log lifts the reported watermark; never part of the state. */
  liftedUs = 0
  hash: Readonly<{ offset: number; hex: string }> = { offset: -1, hex: '' }
  readonly snapshots: SnapshotStore
  /** How much work it has been of late; no part of the state. */
  readonly load: SlotLoad
  private keys: KeySample | undefined
  private readonly metrics: HotTierMetrics
  private readonly clock: Clock
  private readonly waiting = new Set<() => void>()
  /** Address of the peer whose snapshot is being copied; empty = none is. */
  copyingFrom = ''
  private stalledBy = ''
  /** Where the replica stood when it had to start over, and why; -1 = it did not, or is there again. */
  private replay: Readonly<{ toOffset: number; reason: string }> = { toOffset: -1, reason: '' }

  constructor(
    parts: Readonly<{
      key: SlotKey
      table: TableView
      assignment: Assignment
      snapshots: SnapshotStore
      metrics: HotTierMetrics
      clock: Clock
      replica: SlotReplica
    }>,
  ) {
    this.key = parts.key
    this.table = parts.table
    this.assignment = parts.assignment
    this.snapshots = parts.snapshots
    this.metrics = parts.metrics
    this.clock = parts.clock
    this.replica = parts.replica
    this.load = new SlotLoad(parts.clock.monotonicMs)
  }

  /** Counts keys while the slot is warm; those of quiet ones would say nothing and cost memory. */
  noteHeat(heat: number): void {
    if (heat >= WARM_HEAT_MIN) this.keys ??= new KeySample(this.clock.monotonicMs)
    else if (heat < WARM_HEAT_MIN / 2) this.keys = undefined
  }

  /** The most frequent partition keys of late; none while the slot is cool. */
  get topKeys(): readonly TopKey[] {
    return this.keys?.top() ?? []
  }

  /** Why the slot stands still; empty = it does not. */
  get stalledReason(): string {
    return this.stalledBy === '' ? this.replay.reason : this.stalledBy
  }
  set stalledReason(reason: string) {
    this.stalledBy = reason
  }

  /** It has given up a state that it may have answered from, and does not stand there again yet. */
  get isStartingOver(): boolean {
    return this.replay.toOffset >= 0
  }

  get isServing(): boolean {
    return this.assignment.state === ReplicaState.SERVING && this.stalledReason === ''
  }

  /** The watermark as answers say it: the state's, or what an idle log proves beyond it. */
  get watermarkUs(): number {
    return Math.max(this.replica.watermarkUs, this.liftedUs)
  }

  /**
   * Folds one event of the stream in, whole or not at all. Errors: TN_TABLE_UNKNOWN while a block's table version is not
   * known here, TN_MEMORY_FULL while there is no room for its rows; TN_BLOCK_CORRUPT for what the way here garbled;
   * TN_ID_RUN_UNREADABLE when nobody can say which rows are duplicates: try again, or `startOver`.
   */
  take(event: SubscribeEvent['event']): Taken {
    this.progressedAtUs = this.clock.nowUs()
    switch (event.case) {
      case 'block':
      case 'deadLetter': {
        const at = { offset: Number(event.value.offset), checksum: event.value.checksum }
        if (at.offset <= this.replica.cursor.offset) return 'taken' // Told twice: applied once.
        if (Number(event.value.previousOffset) !== this.replica.cursor.offset) return 'broken-chain'
        const appendTimeUs = Number(event.value.appendTimeUs)
        if (event.case === 'deadLetter') this.applyDeadLetter(at, appendTimeUs)
        else this.applyBlock(event.value.value, at, appendTimeUs)
        this.advanced()
        return 'taken'
      }
      case 'heartbeat':
        this.takeHeartbeat(
          Number(event.value.endOffset),
          Number(event.value.position),
          Number(event.value.atUs),
        )
        return 'taken'
      case 'dataLoss': {
        const [firstOffset, resumeOffset] = [
          Number(event.value.firstOffset),
          Number(event.value.resumeOffset),
        ]
        const { offset } = this.replica.cursor
        if (resumeOffset - 1 <= offset) return 'taken' // Told twice, or it lost what is applied here.
        if (firstOffset !== offset + 1) return 'broken-chain'
        this.replica.loseUpTo(firstOffset, resumeOffset, this.clock.nowUs())
        this.metrics.lostRecords.inc(resumeOffset - firstOffset)
        this.advanced()
        return 'taken'
      }
      case 'logRewritten':
        this.stalledReason = `LogRewritten: the log no longer holds the record at offset ${this.replica.cursor.offset} that was applied; rebuild the slot under a new incarnation`
        return 'log-rewritten'
      default:
        return 'taken'
    }
  }

  /**
   * Begins again from the newest snapshot that does not need `run`, or from the start of the log. Until it has come back to
   * where it stood, the slot says why it stands still and answers nothing.
   */
  startOver(run: string, why: string, refuse: (file: string, why: string) => void): void {
    const toOffset = Math.max(this.replay.toOffset, this.replica.cursor.offset)
    this.replay = { toOffset, reason: `IdRunUnreadable: ${why} It is replayed up to offset ${toOffset}.` }
    this.stalledBy = ''
    this.replica.free()
    this.snapshots.condemn(run)
    const restored = this.snapshots.restore(refuse)
    if (restored === undefined) this.snapshots.remove()
    this.replica = restored ?? this.snapshots.createReplica(firstVersion(this.table))
    this.hash = { offset: -1, hex: '' }
  }

  /**
   * Goes on from the snapshot that `place` puts where the slot's lay. What was held is given up before; where that was
   * anything, the slot answers nothing until it has come back to where it stood. False when the snapshot is refused: then the
   * slot is empty. Errors: those of `place`; then likewise.
   */
  async goOnFrom(
    place: () => void,
    refuse: (file: string, why: string) => void,
    signal: AbortSignal,
  ): Promise<boolean> {
    const toOffset = Math.max(this.replay.toOffset, this.replica.cursor.offset)
    if (toOffset >= 0)
      this.replay = { toOffset, reason: `PeerCopy: a peer's snapshot takes the place of what was held here.` }
    const empty = this.snapshots.createReplica(firstVersion(this.table))
    this.replica.free()
    this.replica = empty
    this.hash = { offset: -1, hex: '' }
    this.snapshots.remove()
    place()
    const restored = await this.snapshots.restoreInSteps(refuse, signal)
    if (signal.aborted) {
      restored?.free() // Who aborted has freed what this slot held.
      return false
    }
    if (restored === undefined) {
      this.snapshots.remove()
      return false
    }
    empty.free()
    this.replica = restored
    this.advanced()
    return true
  }

  /** Resolves once the cursor is at `offset` or beyond, or after `waitMs`; answers whether it is. */
  async reached(offset: number, waitMs: number, signal: AbortSignal): Promise<boolean> {
    const giveUp = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.ceil(waitMs)))])
    while (this.replica.cursor.offset < offset && !giveUp.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.waiting.delete(done)
          giveUp.removeEventListener('abort', done)
          resolve()
        }
        this.waiting.add(done)
        giveUp.addEventListener('abort', done, { once: true })
      })
    }
    return this.replica.cursor.offset >= offset
  }

  /** The newest state hash: of this moment when the replica stands at the end of the log. */
  currentHash(): Readonly<{ offset: number; hex: string }> {
    const { offset } = this.replica.cursor
    if (offset + 1 === this.endOffset && this.hash.offset !== offset)
      this.hash = { offset, hex: this.replica.stateHash() }
    return this.hash
  }

  private applyBlock(value: Uint8Array, at: SlotReplica['cursor'], appendTimeUs: number): void {
    const block = decodeBlock(value)
    const definition = this.table.definitions.get(block.tableVersion)
    if (definition === undefined) {
      const message = `The catalog here has no version ${block.tableVersion} of ${this.key.namespace}.${this.key.name} yet.`
      throw new TrueNowError('TN_TABLE_UNKNOWN', message)
    }
    // The ingester judged it already: a difference is between programs, and half a block must not be folded in.
    const mismatch = blockMismatch(block, definition)
    if (mismatch !== undefined)
      throw new TrueNowError('TN_BLOCK_CORRUPT', `The block at ${at.offset} does not fit: ${mismatch}.`)
    const before = { ...this.replica.counters }
    const idsBefore = { ...this.replica.ids.counters }
    const startedMs = this.clock.monotonicMs()
    this.replica.apply(block, definition, at, appendTimeUs)
    this.keys?.look(block, definition, at.offset)
    const tookMs = this.clock.monotonicMs() - startedMs
    this.load.applied(block.rowCount, tookMs)
    this.metrics.applySeconds.observe(tookMs / 1_000)
    for (const outcome of ['applied', 'deduplicated', 'expired'] as const) {
      this.metrics.rows.inc({ outcome }, this.replica.counters[outcome] - before[outcome])
    }
    countIds(this.metrics, idsBefore, this.replica.ids.counters)
  }

  private applyDeadLetter(at: SlotReplica['cursor'], appendTimeUs: number): void {
    this.replica.deadLetter(at, appendTimeUs)
    this.metrics.deadLetters.inc()
  }

  private advanced(): void {
    const { offset } = this.replica.cursor
    if (offset >= this.replay.toOffset) this.replay = { toOffset: -1, reason: '' }
    if (this.endOffset >= 0) this.endOffset = Math.max(this.endOffset, offset + 1)
    if (offset % HASH_PERIOD_RECORDS === 0) this.hash = { offset, hex: this.replica.stateHash() }
    for (const wake of [...this.waiting]) wake()
  }

  private takeHeartbeat(endOffset: number, position: number, atUs: number): void {
    this.endOffset = endOffset
    if (position + 1 < endOffset || position < this.replica.cursor.offset) return
    const { idleTimeoutUs, allowedLatenessUs } = this.replica.definition
    const idleUs = Math.min(atUs, this.clock.nowUs()) - idleTimeoutUs - allowedLatenessUs
    this.liftedUs = Math.max(this.liftedUs, idleUs)
  }
}

function countIds(metrics: HotTierMetrics, before: IdCounters, after: IdCounters): void {
  const more = (name: keyof IdCounters) => after[name] - before[name]
  metrics.duplicates.inc({ stage: 'recent' }, more('recentDuplicates'))
  metrics.duplicates.inc({ stage: 'run' }, more('runDuplicates'))
  metrics.idFilterMaybes.inc({ outcome: 'found' }, more('maybes') - more('falseMaybes'))
  metrics.idFilterMaybes.inc({ outcome: 'none' }, more('falseMaybes'))
  metrics.idRunsWritten.inc({ outcome: 'written' }, more('runsWritten'))
  metrics.idRunsWritten.inc({ outcome: 'failed' }, more('runsFailed'))
}

/** The oldest version: an empty slot has seen none, and the log raises it. */
export function firstVersion({ definitions, definition }: TableView): TableView['definition'] {
  return definitions.get(Math.min(...definitions.keys())) ?? definition
}

/** What the catalog says of a slot, for this shard; undefined when it does not hold it. */
export function assignmentOf(slot: SlotView, shard: number): Assignment | undefined {
  const own = slot.replicas.find((replica) => replica.shard === shard)
  if (own === undefined) return undefined
  const shards = slot.replicas
    .filter(({ state }) => state === ReplicaState.SERVING)
    .map((replica) => replica.shard)
  return { epoch: slot.epoch, incarnation: own.incarnation, state: own.state, shards }
}
