import type { TableRef } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { Replica } from './place-slots.ts'

/** Newer maps that one statement follows for one slot before it gives the slot up. */
const MAP_RETRIES_MAX = 3

/** One slot's assignment: which replicas may be read, under which epoch. */
export type SlotMap = Readonly<{ slot: number; epoch: bigint; replicas: readonly Replica[]; joining: number }>
export type Question = Readonly<{
  table: Pick<TableRef, 'namespace' | 'name'>
  plan: Plan
  slots: readonly SlotMap[]
  /** What the asker demands: below it a slot is missing. */
  atLeast: ReadonlyMap<number, number>
  /** Highest offset served before: below it other replicas are tried first, and the answer says `regressed`. */
  served: (slot: number) => number
  /** On the monotonic clock. */
  deadlineMs: number
}>
/** What one shard answered: a merged partial over some slots. `slot` is the lowest of them. */
export type Part = Readonly<{
  slot: number
  batch: Uint8Array
  rowsScanned: number
  rowsMatched: number
  rowsFromRollups: number
}>
/** A slot on its way to an answer. Every replica is asked at most once under one map, so the search ends. */
export type SlotTask = {
  slot: number
  epoch: bigint
  replicas: readonly Replica[]
  tried: Set<number>
  behind: Set<number>
  mapRetries: number
  demanded: number
  wanted: number
  reason: string
}
/** The start of the search: no replica tried, nothing known but the catalog's map. */
export function newTask({ slot, epoch, replicas, joining }: SlotMap, question: Question): SlotTask {
  const demanded = question.atLeast.get(slot) ?? -1
  const waiting = joining === 0 ? '' : ` (${joining} joining)`
  return {
    slot,
    epoch,
    replicas,
    tried: new Set(),
    behind: new Set(),
    mapRetries: 0,
    demanded,
    wanted: Math.max(demanded, question.served(slot)),
    reason: `no serving replica${waiting}`,
  }
}

/** Nobody is as far as what was served before: take what there is, and say so. */
export function settleForLess(task: SlotTask): void {
  task.wanted = task.demanded
  for (const shard of task.behind) task.tried.delete(shard)
  task.behind.clear()
}

/** Takes over a newer map, under which every replica may be asked again. False: not newer, or too often already. */
export function adoptMap(task: SlotTask, { epoch, replicas }: Pick<SlotTask, 'epoch' | 'replicas'>): boolean {
  if (epoch <= task.epoch || task.mapRetries >= MAP_RETRIES_MAX) return false
  task.epoch = epoch
  task.replicas = replicas
  task.mapRetries++
  task.tried.clear()
  return true
}
