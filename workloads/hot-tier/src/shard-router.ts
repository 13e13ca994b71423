import assert from 'node:assert/strict'
import type { CatalogView } from '@truenow/chassis/catalog-view.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type {
  CopySlotRequest,
  PartialQueryRequest,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { DebugSlot } from './debug-slot.ts'
import type { PartialAnswer } from './execute-partial.ts'
import type { PinnedCopy } from './give-copy.ts'
import { joinAnswers } from './join-answers.ts'
import { placeSlots } from './place-slots.ts'
import { assignmentOf, slotName } from './shard-slot.ts'
import type { ShardIdentity, ShardWorker, SlotStates } from './shard-worker.ts'

/**
 * The shard as the rest of the process sees it: knows which worker holds which slot, hands each its part of the catalog and
 * of every query, and puts together what they answer. It holds no rows.
 */
export class ShardRouter {
  private readonly workers: readonly ShardWorker[]
  private readonly shard: number
  private readonly bytes: number[]
  private identity: ShardIdentity | undefined
  /** The catalog that the placement is of. */
  private view: CatalogView | undefined
  private placed = new Map<string, number>()
  private next: CatalogView | undefined
  private assigning: Promise<void> | undefined
  /** One a copy that is given; workers number theirs each for itself. */
  private readonly pins = new Map<number, Readonly<{ worker: number; pin: number }>>()
  private lastPin = 0

  constructor(workers: readonly ShardWorker[], shard: number) {
    this.workers = workers
    this.shard = shard
    this.bytes = workers.map(() => 0)
  }

  get workerCount(): number {
    return this.workers.length
  }

  /** What all workers take, as they last told. */
  get residentBytes(): number {
    return this.bytes.reduce((sum, bytes) => sum + bytes, 0)
  }

  /** Takes note of what a worker takes. */
  noteBytes(worker: number, residentBytes: number): void {
    this.bytes[worker] = residentBytes
  }

  async open(identity: ShardIdentity): Promise<void> {
    this.identity = identity
    await Promise.all(this.workers.map((worker) => worker.open(identity)))
  }

  /**
   * Hands every worker its part. One catalog at a time: a slot that left one worker may come to another only when the first
   * has let go of its files. Of catalogs that come meanwhile the newest counts. Errors: those of the workers.
   */
  assign(view: CatalogView): Promise<void> {
    if (this.identity === undefined || view.catalogId !== this.identity.catalogId) return Promise.resolve()
    this.next = view
    this.assigning ??= Promise.resolve().then(() => this.assignNewest())
    return this.assigning
  }

  /** Lets go of every replica without writing it, and holds none until `open` says as whom. */
  async reset(): Promise<void> {
    this.identity = undefined
    this.next = undefined
    await this.assigning?.catch(() => {}) // Whoever assigned is told.
    this.placed = new Map()
    this.view = undefined
    await Promise.all(this.workers.map((worker) => worker.reset()))
  }

  /** Every worker stops following and writes what changed; the failure of one does not keep the others from it. */
  async close(): Promise<void> {
    const ended = await Promise.allSettled(this.workers.map((worker) => worker.close()))
    const failed = ended.find(({ status }) => status === 'rejected')
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
  }

  /** Every replica, under the oldest catalog that one of the workers still goes by: what has left under a newer one is not among them. */
  async states(): Promise<SlotStates> {
    const states = await Promise.all(this.workers.map((worker) => worker.states()))
    for (const [worker, { residentBytes }] of states.entries()) this.noteBytes(worker, residentBytes)
    return {
      catalogRevision: Math.min(...states.map(({ catalogRevision }) => catalogRevision)),
      slots: states.flatMap(({ slots }) => slots),
      residentBytes: this.residentBytes,
    }
  }

  async describe(): Promise<readonly DebugSlot[]> {
    return (await Promise.all(this.workers.map((worker) => worker.describe()))).flat()
  }

  /**
   * Runs a partial query: each worker over its own slots, at a cut of its own. When one fails, the others are stopped and
   * its error is the answer's. Errors: those of executePartial; TN_SHARD_UNAVAILABLE when a worker is gone.
   */
  async execute(request: PartialQueryRequest, signal: AbortSignal): Promise<PartialAnswer> {
    const { namespace = '', name = '' } = request.table ?? {}
    const places = Map.groupBy(request.slots.keys(), (at) =>
      this.holderOf(namespace, name, request.slots[at]?.slot ?? -1),
    )
    const [first = 0] = places.keys()
    if (places.size < 2) return this.worker(first).execute(request, signal)
    const { plan } = request
    if (plan === undefined) throw new TrueNowError('TN_REQUEST_INVALID', 'A partial query needs a plan.')
    const table = this.view?.table(namespace, name)
    assert(table !== undefined, 'slots are placed by a catalog that has their table')
    const failed = new AbortController()
    const either = AbortSignal.any([signal, failed.signal])
    const parts = [...places].map(async ([worker, own]) => {
      const slots = request.slots.filter((_, at) => own.includes(at))
      return { places: own, answer: await this.worker(worker).execute({ ...request, slots }, either) }
    })
    try {
      const definition = table.definitions.get(plan.tableVersion) ?? table.definition
      return joinAnswers(await Promise.all(parts), plan, definition)
    } catch (error) {
      failed.abort()
      throw error
    }
  }

  /** A snapshot of now for another shard, kept until `unpin`. Errors: why this shard gives none. */
  async pin(request: CopySlotRequest): Promise<PinnedCopy | undefined> {
    const { namespace = '', name = '' } = request.table ?? {}
    const worker = this.holderOf(namespace, name, request.slot)
    const pinned = await this.worker(worker).pin(request)
    if (pinned === undefined) return undefined
    this.lastPin += 1
    this.pins.set(this.lastPin, { worker, pin: pinned.pin })
    return { ...pinned, pin: this.lastPin }
  }

  unpin(pin: number): void {
    const pinned = this.pins.get(pin)
    this.pins.delete(pin)
    if (pinned === undefined) return
    void this.worker(pinned.worker)
      .unpin(pinned.pin)
      .catch(() => {}) // The pins of a worker that is gone went with it.
  }

  /** A slot that nobody holds goes to the first worker, which says so. */
  private holderOf(namespace: string, name: string, slot: number): number {
    return this.placed.get(slotName(namespace, name, slot)) ?? 0
  }

  private worker(number: number): ShardWorker {
    return this.workers[number] as ShardWorker
  }

  private async assignNewest(): Promise<void> {
    let failure: unknown
    for (let view = this.next; view !== undefined; view = this.next) {
      this.next = undefined
      failure = await this.assignOne(view).then(
        () => undefined,
        (error: unknown) => error,
      )
    }
    this.assigning = undefined
    if (failure !== undefined) throw failure
  }

  private async assignOne(view: CatalogView): Promise<void> {
    this.view = view
    this.placed = placeSlots(this.placed, this.slotsOf(view), this.bytes)
    await Promise.all(this.workers.map((worker, number) => worker.assign(this.partOf(view, number))))
  }

  /** Keys of the slots that the catalog assigns to this incarnation of the shard. */
  private slotsOf(view: CatalogView): string[] {
    return view
      .tables()
      .flatMap(({ definition: { namespace, name }, slots }) =>
        slots
          .filter((slot) => assignmentOf(slot, this.shard)?.incarnation === this.identity?.incarnation)
          .map(({ slot }) => slotName(namespace, name, slot)),
      )
  }

  /** The catalog with the slots of one worker only. */
  private partOf(view: CatalogView, worker: number) {
    const { revision, catalogId, replicationFactor } = view
    const tables = view.tables().map((table) => {
      const { namespace, name } = table.definition
      const slots = table.slots.filter(
        ({ slot }) => this.placed.get(slotName(namespace, name, slot)) === worker,
      )
      return { ...table, slots }
    })
    const held = tables.filter(({ slots }) => slots.length > 0)
    return { revision, catalogId, replicationFactor, tables: held, shards: view.shards() }
  }
}
