import { join } from 'node:path'
import type { CatalogView, TableView } from '@truenow/chassis/catalog-view.ts'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import type { RoleContext } from '@truenow/chassis/running-role.ts'
import type { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type CopySlotRequest,
  ReplicaState,
  type Shard as ShardService,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { Arena } from '@truenow/kernels/columns/arena.ts'
import { TextPools } from '@truenow/kernels/columns/text-pool.ts'
import type { ReplicaMemory, RollupFigures, SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { slotHeat } from '@truenow/kernels/sharding/slot-heat.ts'
import { type CopyWanted, copyFromPeers } from './copy-from-peers.ts'
import { copyPeers } from './copy-peers.ts'
import { type Arenas, createArenas, QUOTA_BYTES_MIN } from './create-arenas.ts'
import { HEAP_RESERVE_BYTES } from './divide-budget.ts'
import { type FollowParts, followSlot, SILENCE_MS } from './follow-slot.ts'
import type { PinnedCopy } from './give-copy.ts'
import type { LiveHeap } from './live-heap.ts'
import type { HotTierMetrics } from './metrics.ts'
import { createPermits, type Permits } from './permits.ts'
import { pinForCopy } from './pin-for-copy.ts'
import { type Assignment, assignmentOf, firstVersion, ShardSlot, slotName } from './shard-slot.ts'
import { SilenceWatch } from './silence-watch.ts'
import { SnapshotPace } from './snapshot-pace.ts'
import { type ReplicaStorage, SnapshotStore } from './snapshot-store.ts'
import { STALL_REASONS, stallReason } from './stall-reason.ts'
import { removeTornCopies } from './take-copy.ts'
import { Turns, type TurnsPorts } from './turns.ts'
import { createWorkTime, type StartWork } from './work-time.ts'
import type { WriteFile } from './write-durably.ts'

export type ShardParts = Readonly<{
  context: RoleContext
  metrics: HotTierMetrics
  shard: number
  dataDirectory: string
  /** Its quota of the process's budget, and what of that is not for rows. */
  residentBytesMax: number
  reserveBytes: number
  heap: LiveHeap
  snapshotMs: number
  follow: Pick<FollowParts, 'ingesters' | 'connect'>
  copies: Readonly<{
    connect: (address: string) => Client<typeof ShardService>
    copiesMax: number
    gapWaitMs: number
  }>
  /** Called when a replica caught up or changed, so that the control plane hears of it at once. */
  onNews: () => void
  /** Told the outcome of every snapshot: a full volume degrades health, and nothing else. */
  onSnapshot: (error: unknown) => void
  /** Told whether runs of ids can be written: while they cannot, ids stay in memory. */
  onIdRuns: (error: unknown) => void
  /** Hears what was said to this thread and lies in its port; absent: nothing is said to it but by its event loop. */
  hear?: (() => void) | undefined
  writeFile: WriteFile
  ids: ReplicaStorage
}>
type Held = Readonly<{
  slot: ShardSlot
  stop: AbortController
  following: Promise<void>
  writtenAtMs: { value: number }
}>

const HOUSEKEEPING_MS = 100
/** What an empty replica wants; after this long the log is read, which may have all of it. */
const ANY_COPY = { atLeastOffset: -1, patienceMs: 2_000 }
/** Metrics are read every few seconds; counting thousands of slots for them takes milliseconds. */
const COUNTING_MS = 1_000
/** What folding may do beside blocks, ten times a second: a few milliseconds; and how many slots are asked for work then. */
const FOLD_ROWS_A_TURN = 8_192
const FOLD_SLOTS_A_TURN = 64
/** What ids take now, this often: their sets are made anew twice as large, and until the window is full they become more. */
const IDS_HEADROOM = 2
/** An arena this full lets its oldest buckets go, so that blocks and queries find room. */
const ARENA_FULL_SHARE = 0.9

/** The replicas of one worker of a shard: opened and dropped as the catalog says, within one memory budget, snapshot one at a time. */
export class Shard {
  private readonly parts: ShardParts
  private readonly held = new Map<string, Held>()
  private readonly reported = new Set<string>()
  private identity: Readonly<{ catalogId: string; incarnation: number }> | undefined
  private view: CatalogView | undefined
  private readonly taking: Permits
  /** One a copy that is given: as many as may be given at once. */
  private readonly pins = new Map<number, () => void>()
  private lastPin = 0
  private timer: NodeJS.Timeout | undefined
  private bytes = 0
  private countedAtMs = 0
  private readonly silences: SilenceWatch
  private readonly pace: SnapshotPace
  readonly startWork: StartWork
  /** Blocks of all slots and reads of all queries on this thread. */
  readonly turns: Turns
  private readonly memories: ReadonlyArray<Arenas & Readonly<{ texts: Map<string, TextPools> }>>

  constructor(parts: ShardParts) {
    this.parts = parts
    this.taking = createPermits(parts.copies.copiesMax)
    this.silences = new SilenceWatch(parts.context.clock, SILENCE_MS)
    this.pace = new SnapshotPace(parts.snapshotMs)
    const waited: TurnsPorts['waited'] = (by, ms) =>
      parts.metrics.turnWaitSeconds.observe({ class: by }, ms / 1_000)
    const nowMs = parts.context.clock.monotonicMs
    this.startWork = createWorkTime(nowMs)
    this.turns = new Turns({ nowMs, startWork: this.startWork, hear: parts.hear, waited })
    this.memories = createArenas(parts.residentBytesMax).map((arenas) => ({ ...arenas, texts: new Map() }))
    parts.metrics.residentBytesMax.set(parts.residentBytesMax)
    parts.metrics.reserveBytes.set(parts.reserveBytes)
  }

  slots(): ShardSlot[] {
    return [...this.held.values()].map(({ slot }) => slot)
  }

  find(namespace: string, name: string, slot: number): ShardSlot | undefined {
    return this.held.get(slotName(namespace, name, slot))?.slot
  }

  get residentBytes(): number {
    return this.bytes
  }

  /** Revision of the catalog under which the replicas held are held; 0 while there is none. */
  get catalogRevision(): number {
    return this.view?.revision ?? 0
  }

  /** Begins to hold what the catalog assigns to this incarnation of the shard. */
  open(identity: Readonly<{ catalogId: string; incarnation: number }>): void {
    this.identity = identity
    this.timer ??= setInterval(() => this.keepHouse(), HOUSEKEEPING_MS)
  }

  /** Makes the replicas held equal to what the catalog assigns. A replica of another incarnation is not ours to hold. */
  assign(view: CatalogView): void {
    if (this.identity === undefined || view.catalogId !== this.identity.catalogId) return
    this.view = view
    const wanted = new Map<string, () => void>()
    for (const table of view.tables()) {
      const { namespace, name } = table.definition
      for (const slotView of table.slots) {
        const assignment = assignmentOf(slotView, this.parts.shard)
        if (assignment === undefined || assignment.incarnation !== this.identity.incarnation) continue
        const key = slotName(namespace, name, slotView.slot)
        wanted.set(key, () => this.hold(key, table, slotView.slot, assignment))
      }
    }
    for (const [key, { slot }] of this.held) {
      const table = view.table(slot.key.namespace, slot.key.name)
      if (!wanted.has(key) || table?.uid !== slot.key.uid) void this.drop(key, true)
    }
    for (const hold of wanted.values()) hold()
    this.count()
  }

  /** A snapshot of now for another shard, kept until `unpin`. Errors: why this shard gives none. */
  pin(request: CopySlotRequest): PinnedCopy | undefined {
    const { namespace = '', name = '' } = request.table ?? {}
    const found = this.find(namespace, name, request.slot)
    const pinned = pinForCopy(request, found, (slot) => this.snapshot(slot))
    if (pinned === undefined) return undefined
    const { directory, body, release } = pinned
    this.lastPin += 1
    this.pins.set(this.lastPin, release)
    return { pin: this.lastPin, directory, body }
  }
  unpin(pin: number): void {
    this.pins.get(pin)?.()
    this.pins.delete(pin)
  }

  /** Lets go of every replica without writing it, and holds none until `open` says as whom. */
  async reset(): Promise<void> {
    this.identity = undefined
    this.view = undefined
    await Promise.all([...this.held.keys()].map((key) => this.drop(key, false)))
  }

  /** Stops following and writes what changed. */
  async close(): Promise<void> {
    clearInterval(this.timer)
    const all = [...this.held.values()]
    for (const { stop } of all) stop.abort()
    await Promise.all(all.map(({ following }) => following))
    for (const { slot } of all) {
      this.snapshot(slot)
      slot.replica.free()
    }
    this.held.clear()
  }

  private hold(key: string, table: TableView, number: number, assignment: Assignment): void {
    const known = this.held.get(key)
    if (known !== undefined) {
      known.slot.table = table
      // An epoch that an asker brought first stands until the catalog here has caught up with it.
      if (assignment.epoch >= known.slot.assignment.epoch) known.slot.assignment = assignment
      return
    }
    const { context, metrics, follow, copies } = this.parts
    const { namespace, name } = table.definition
    const { uid } = table
    const { catalogId, incarnation } = this.identity as NonNullable<typeof this.identity>
    const directory = join(this.parts.dataDirectory, 'slots', `${namespace}.${name}`, String(number))
    const identity = { catalogId, incarnation, table: `${namespace}.${name}`, uid, slot: number }
    const storage = { ...this.parts.ids, memory: this.memoryOf(uid) }
    const snapshots = new SnapshotStore(directory, identity, this.parts.writeFile, storage)
    removeTornCopies(directory)
    const restored = snapshots.restore((file, why) => this.refuse(file, why))
    if (restored === undefined) snapshots.remove()
    else metrics.snapshots.inc({ outcome: 'restored' })
    const slot = new ShardSlot({
      key: { namespace, name, uid, slot: number },
      table,
      assignment,
      snapshots,
      metrics,
      clock: context.clock,
      replica: restored ?? snapshots.createReplica(firstVersion(table)),
    })
    const stop = new AbortController()
    const parts = {
      ...follow,
      silences: this.silences,
      context,
      metrics,
      turns: this.turns,
      onFull: (one: ShardSlot) => void this.wanting.add(one.replica.arena),
      mayApply: (one: ShardSlot, signal: AbortSignal) => this.mayApply(one, signal),
      onTaken: (one: ShardSlot) => this.onTaken(key, one),
      startOver: (one: ShardSlot, error: TrueNowError) => this.startOver(one, error),
      coverGap: (one: ShardSlot, resumeOffset: number, signal: AbortSignal) =>
        this.copyFromPeers(one, { atLeastOffset: resumeOffset - 1, patienceMs: copies.gapWaitMs }, signal),
    }
    const begin = async () => {
      if (restored === undefined) await this.copyFromPeers(slot, ANY_COPY, stop.signal)
      await followSlot(slot, parts, stop.signal)
    }
    const following = begin()
    this.held.set(key, { slot, stop, following, writtenAtMs: { value: context.clock.monotonicMs() } })
  }

  private copyFromPeers(slot: ShardSlot, wanted: CopyWanted, signal: AbortSignal): Promise<boolean> {
    const { context, metrics, copies, shard } = this.parts
    const parts = {
      context,
      metrics,
      peers: (one: ShardSlot) => copyPeers(this.view, one.key, shard),
      connect: copies.connect,
      permits: this.taking,
      refuse: (file: string, why: string) => this.refuse(file, why),
    }
    return copyFromPeers(slot, wanted, parts, signal)
  }

  private async drop(key: string, forGood: boolean): Promise<void> {
    const held = this.held.get(key)
    if (held === undefined) return
    this.held.delete(key)
    this.reported.delete(key)
    held.stop.abort() // From here on it takes nothing, and only replicas that are held are written.
    // At once: the slot's next replica, of another table of the same name, writes to the same directory.
    held.slot.replica.free()
    if (forGood) this.removeSnapshots(held.slot)
    await held.following
  }

  /** The emptiest arena, and the texts of the table there. */
  private memoryOf(uid: string): ReplicaMemory {
    const emptiest = this.memories.reduce((least, one) =>
      one.arena.usedBytes < least.arena.usedBytes ? one : least,
    )
    for (const [name, pools] of emptiest.texts) if (pools.isUnused) emptiest.texts.delete(name)
    const texts = emptiest.texts.get(uid) ?? new TextPools(emptiest.arena)
    emptiest.texts.set(uid, texts)
    return { arena: emptiest.arena, idArena: emptiest.idArena, texts }
  }

  private refuse(file: string, why: string): void {
    this.parts.metrics.snapshots.inc({ outcome: 'refused' })
    this.parts.context.log.warn({ file, why }, 'a snapshot was refused')
  }

  private startOver(slot: ShardSlot, error: TrueNowError): void {
    const { metrics, context } = this.parts
    metrics.idRunsUnreadable.inc()
    context.log.error({ err: error, ...slot.key }, 'a run of ids cannot be read: the slot starts over')
    slot.startOver(String(error.details.run), error.message, (file, why) => this.refuse(file, why))
  }

  /** What cannot be removed is refused when it is met again: it names another table or incarnation. */
  private removeSnapshots(slot: ShardSlot): void {
    try {
      slot.snapshots.remove()
    } catch (err) {
      this.parts.context.log.warn({ err, ...slot.key }, 'snapshots of a slot that left could not be removed')
    }
  }

  /** A joining replica that stands at the end of the log is news: the control plane may let it serve. */
  private onTaken(key: string, slot: ShardSlot): void {
    if (slot.assignment.state !== ReplicaState.JOINING) return void this.reported.delete(key)
    const caughtUp = slot.endOffset >= 0 && slot.replica.cursor.offset + 1 >= slot.endOffset
    if (!caughtUp || this.reported.has(key)) return
    this.reported.add(key)
    this.parts.onNews()
  }

  private async mayApply(slot: ShardSlot, signal: AbortSignal): Promise<void> {
    const stalls = slot.replica.definition.onMemoryFull === 'Stall'
    while (stalls && this.isFullFor(slot) && !signal.aborted) {
      slot.stalledReason = `MemoryFull: the worker's ${this.bytesMax} bytes are taken and the table says Stall; raise memoryPerShard, or set onMemoryFull: Evict in another Table`
      await new Promise((resolve) => setTimeout(resolve, HOUSEKEEPING_MS))
    }
    if (slot.stalledReason.startsWith('MemoryFull')) slot.stalledReason = ''
  }

  /** Rows, texts and ids are all that they may be, or the slot's arena is: where nothing may leave, nothing comes in. */
  private isFullFor({ replica: { arena } }: ShardSlot): boolean {
    return this.bytes > this.bytesMax || arena.usedBytes > ARENA_FULL_SHARE * arena.bytesMax
  }

  private keepHouse(): void {
    this.keepBudget()
    this.foldSome()
    this.snapshotSome()
    const nowMs = this.parts.context.clock.monotonicMs()
    if (nowMs - this.countedAtMs < COUNTING_MS) return
    this.countedAtMs = nowMs
    this.count()
  }

  /** Writes the slots that are due, the longest waiting first, as far as the thread has time for it. */
  private snapshotSome(): void {
    const { context, snapshotMs } = this.parts
    const now = context.clock.monotonicMs
    const beganMs = now()
    if (!this.pace.mayBegin(beganMs)) return
    const due = [...this.held.values()]
      .filter(({ slot, writtenAtMs }) => {
        const changed = slot.replica.cursor.offset > slot.snapshots.offset
        return changed && beganMs - writtenAtMs.value >= snapshotMs
      })
      .toSorted((a, b) => a.writtenAtMs.value - b.writtenAtMs.value)
    for (const { slot, writtenAtMs } of due) {
      writtenAtMs.value = beganMs
      this.snapshot(slot)
      if (!this.pace.mayGoOn(beganMs, now())) break
    }
    this.pace.ended(beganMs, now())
  }

  /** Folds a little of one slot: after a restart, and where no blocks come, nobody else does. */
  private foldSome(): void {
    const slots = this.slots()
    for (let asked = 0; asked < Math.min(slots.length, FOLD_SLOTS_A_TURN); asked++) {
      this.foldTurn = (this.foldTurn + 1) % slots.length
      if (slots[this.foldTurn]?.replica.foldBuckets(FOLD_ROWS_A_TURN) === true) return
    }
  }
  private foldTurn = 0

  private snapshot(slot: ShardSlot): void {
    if (slot.replica.cursor.offset <= slot.snapshots.offset) return
    try {
      slot.snapshots.write(slot.replica)
      this.parts.metrics.snapshots.inc({ outcome: 'written' })
      this.parts.onSnapshot(undefined)
    } catch (err) {
      this.parts.metrics.snapshots.inc({ outcome: 'failed' })
      const { namespace, name, slot: number } = slot.key
      this.parts.context.log.warn({ err, namespace, table: name, slot: number }, 'a snapshot was not written')
      this.parts.onSnapshot(err)
    }
  }

  /** What rows, texts and ids may take by now: what the heap's objects take beyond the reserve is theirs no more. */
  private get bytesMax(): number {
    const { residentBytesMax, heap } = this.parts
    return Math.max(0, residentBytesMax - Math.max(0, heap.bytes() - HEAP_RESERVE_BYTES))
  }

  /** Oldest buckets leave first, of whichever slot, until the budget holds. */
  private keepBudget(): void {
    const slots = this.slots()
    const measure = () => {
      const pools = new Set(slots.map(({ replica }) => replica.texts))
      const texts = [...pools].reduce((sum, { residentBytes }) => sum + residentBytes, 0)
      this.bytes = slots.reduce((sum, { replica }) => sum + replica.residentBytes, texts)
    }
    measure()
    const { bytesMax } = this
    while (this.bytes > bytesMax && this.evictOldest(slots)) measure()
    for (const arenas of this.memories) {
      const { arena } = arenas
      const own = slots.filter(({ replica }) => replica.arena === arena)
      this.limitArena(arenas, own, bytesMax)
      const isWanting = this.wanting.delete(arena)
      if (isWanting && this.evictOldest(own)) measure()
      while (arena.usedBytes > ARENA_FULL_SHARE * arena.bytesMax && this.evictOldest(own)) measure()
    }
    this.tellMemory()
  }
  /** Arenas that had no room for a block's rows since the last look, be it that what is free lies in pieces. */
  private readonly wanting = new Set<Arena>()

  /** An arena never gives back what it has taken: with the ids beside it, it must not take more than its share. */
  private limitArena({ arena, idArena }: Arenas, own: readonly ShardSlot[], bytesMax: number): void {
    const ids = own.reduce((sum, { replica }) => sum + replica.ids.residentBytes, 0)
    const share = bytesMax / this.memories.length
    const beside = Math.max(IDS_HEADROOM * ids, idArena.buffer.byteLength)
    arena.limit(Math.max(QUOTA_BYTES_MIN, share / 2, share - beside))
  }

  private tellMemory(): void {
    const { metrics, heap } = this.parts
    const arenas = this.memories.map(({ arena }) => arena)
    const all = this.memories.flatMap(({ arena, idArena }) => [arena, idArena])
    metrics.residentBytes.set(this.bytes)
    metrics.arenaBytes.set(arenas.reduce((sum, { usedBytes }) => sum + usedBytes, 0))
    metrics.arenaBytesTaken.set(all.reduce((sum, { buffer }) => sum + buffer.byteLength, 0))
    metrics.heapBytes.set(heap.bytes())
  }

  /** Frees the oldest bucket of these slots; false when none may leave. */
  private evictOldest(slots: readonly ShardSlot[]): boolean {
    let oldest: SlotReplica | undefined
    for (const { replica } of slots) {
      if (replica.definition.onMemoryFull !== 'Evict' || replica.buckets.size < 2) continue
      if (oldest === undefined || replica.buckets.oldestEndUs < oldest.buckets.oldestEndUs) oldest = replica
    }
    if (oldest === undefined || !oldest.evictOldest()) return false
    this.parts.metrics.evictions.inc()
    return true
  }

  private count(): void {
    const slots = this.slots()
    const states = { joining: 0, serving: 0, leaving: 0, stalled: 0 }
    const reasons = slots.map(({ stalledReason }) => stallReason(stalledReason))
    let lag = 0
    for (const slot of slots) {
      if (slot.stalledReason !== '') states.stalled += 1
      else if (slot.assignment.state === ReplicaState.SERVING) states.serving += 1
      else if (slot.assignment.state === ReplicaState.LEAVING) states.leaving += 1
      else states.joining += 1
      lag += Math.max(0, slot.endOffset - slot.replica.cursor.offset - 1)
    }
    for (const [state, count] of Object.entries(states)) {
      this.parts.metrics.slots.set({ state: state as keyof typeof states }, count)
    }
    for (const reason of STALL_REASONS) {
      this.parts.metrics.stalledSlots.set({ reason }, reasons.filter((one) => one === reason).length)
    }
    this.parts.metrics.lagRecords.set(lag)
    this.noteHeats(slots)
    const replicas = slots.map(({ replica }) => replica)
    this.countIds(replicas)
    this.countRollups(replicas)
  }

  private noteHeats(slots: readonly ShardSlot[]): void {
    const { metrics, residentBytesMax } = this.parts
    let hottest: ShardSlot | undefined
    let heatMax = 0
    for (const slot of slots) {
      const load = { ...slot.load.figures(), bytes: slot.replica.residentBytes }
      const heat = slotHeat(load, residentBytesMax)
      slot.noteHeat(heat)
      if (heat <= heatMax) continue
      heatMax = heat
      hottest = slot
    }
    metrics.slotHeat.set(heatMax)
    metrics.topKeyShare.set(hottest?.topKeys[0]?.share ?? 0)
  }

  private countRollups(replicas: readonly SlotReplica[]): void {
    const { metrics } = this.parts
    const all = replicas.map(({ rollups }) => rollups)
    const total = (figure: keyof RollupFigures) => all.reduce((sum, figures) => sum + figures[figure], 0)
    metrics.rollupRows.set(total('rows'))
    metrics.rollupCells.set(total('cells'))
    metrics.rollupBytes.set(total('bytes'))
    metrics.rollupLevelsLeftOut.set(total('levelsLeftOut'))
    metrics.rollupsOutOfMemory.set(total('outOfMemory'))
  }

  private countIds(replicas: readonly SlotReplica[]): void {
    const { metrics, onIdRuns } = this.parts
    const all = replicas.map(({ ids }) => ids)
    const total = (of: (ids: (typeof all)[0]) => number) => all.reduce((sum, ids) => sum + of(ids), 0)
    metrics.rememberedIds.set({ place: 'memory' }, total(({ size, sizeInRuns }) => size - sizeInRuns)) // biome-ignore format: one line
    metrics.rememberedIds.set({ place: 'run' }, total(({ sizeInRuns }) => sizeInRuns)) // biome-ignore format: one line
    metrics.idRuns.set(total(({ runCount }) => runCount))
    metrics.idRunBytes.set(total(({ runBytes }) => runBytes))
    onIdRuns(all.find(({ writeError }) => writeError !== undefined)?.writeError)
  }
}
