import type { MessageInitShape } from '@bufbuild/protobuf'
import type { CatalogContent } from '@truenow/chassis/catalog-view.ts'
import type {
  CopySlotRequest,
  PartialQueryRequest,
  SlotStateSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { IdLimits } from '@truenow/kernels/replica/id-window.ts'
import type { MetricObjectWithValues, MetricValue } from 'prom-client'
import type { DebugSlot } from './debug-slot.ts'
import type { MemoryShares } from './divide-budget.ts'
import type { PartialAnswer } from './execute-partial.ts'
import type { PinnedCopy } from './give-copy.ts'

/** Whose data a shard holds. */
export type ShardIdentity = Readonly<{ catalogId: string; incarnation: number }>
export type SlotStates = Readonly<{
  /** Of the catalog under which `slots` are held; 0 while that is none of this identity's. */
  catalogRevision: number
  slots: ReadonlyArray<MessageInitShape<typeof SlotStateSchema>>
  residentBytes: number
}>
export type MetricSamples = MetricObjectWithValues<MetricValue<string>>

/**
 * One worker of a shard: it holds replicas of its own, in memory of its own, and shares nothing with the others. Calls take
 * effect in the order in which they are made. What goes in and comes out is data, so that a worker may be a thread
 * (thread-worker.ts) or lie in the caller's own (local-worker.ts).
 * Errors: those of the shard; TN_SHARD_UNAVAILABLE from a worker that is gone.
 */
export type ShardWorker = Readonly<{
  /** Begins to hold what is assigned to this incarnation. */
  open: (identity: ShardIdentity) => Promise<void>
  /** Makes the replicas held equal to the catalog, which names no slot of another worker. */
  assign: (catalog: CatalogContent) => Promise<void>
  execute: (request: PartialQueryRequest, signal: AbortSignal) => Promise<PartialAnswer>
  /** A snapshot of now for another shard, kept until `unpin`; undefined: the slot has applied nothing. Errors: those of pinForCopy. */
  pin: (request: CopySlotRequest) => Promise<PinnedCopy | undefined>
  unpin: (pin: number) => Promise<void>
  /** Every replica as it reports itself. */
  states: () => Promise<SlotStates>
  /** Every replica for people. */
  describe: () => Promise<readonly DebugSlot[]>
  /** Every metric of this worker. */
  samples: () => Promise<readonly MetricSamples[]>
  /** Lets go of every replica without writing it. */
  reset: () => Promise<void>
  /** Stops following, writes what changed, and ends. */
  close: () => Promise<void>
}>

/** What a worker is told once, as data. */
export type WorkerSettings = Readonly<{
  /** Number of the worker in its shard, from 0. */
  worker: number
  shard: number
  dataDirectory: string
  /** Of certificates, which each thread follows for itself; empty: plain text. */
  tlsDirectory?: string
  /** Its share of the shard's budget, and of what the process keeps for itself. */
  residentBytesMax: number
  reserveBytes: number
  /** Limits of its thread's heap, MiB: reached, the thread dies, and with it the process. */
  heapMibMax: MemoryShares['heapMibMax']
  snapshotMs: number
  /** Copies that it takes from other shards at once, and how long one is waited for before a gap is gone past. */
  copies: Readonly<{ copiesMax: number; gapWaitMs: number }>
  pod: string
  version: string
  idLimits?: Partial<IdLimits>
}>

/** Parts of a worker whose health is told apart. */
export type WorkerCheck = 'snapshots' | 'id-runs'

/** What a worker tells of its own accord. */
export type WorkerEvents = Readonly<{
  /** A replica caught up or changed: the control plane should hear of it at once. */
  onNews: () => void
  /** A part of it fails, with the reason, or does no longer; told when that changes. */
  onCheck: (check: WorkerCheck, reason: string | undefined) => void
  /** Once a second: what rows, texts and ids take. */
  onBeat: (residentBytes: number) => void
}>
