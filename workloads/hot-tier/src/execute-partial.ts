import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type PartialQueryRequest,
  type Plan,
  ReplicaState,
  type SlotRequest,
  SlotStatus,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { encodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { type Executed, executePlan } from '@truenow/kernels/plan/execute-plan.ts'
import { mergePartials } from '@truenow/kernels/plan/merge-partials.ts'
import type { Cut, Pause } from '@truenow/kernels/plan/row-source.ts'
import { limitWholeAnswer } from './limit-whole-answer.ts'
import type { ShardSlot } from './shard-slot.ts'
import { TURN_MS, type Turns } from './turns.ts'
import type { StartWork } from './work-time.ts'

/** To begin with a source costs about as much as to pass over so many rows (5 ms for 480 sources of 2,000 rows). */
const SOURCE_ROWS_MIN = 4_096

export type FindSlot = (namespace: string, name: string, slot: number) => ShardSlot | undefined
/** What a shard, or one worker of it, answers to a partial query. */
export type PartialAnswer = Readonly<{
  slots: ReadonlyArray<
    ReturnType<typeof answerOf> | Readonly<{ slot: number; status: SlotStatus; detail: string }>
  >
  batch: Uint8Array
  rowsScanned: bigint
  rowsMatched: bigint
  rowsFromRollups: bigint
}>
type Judged = Readonly<{ status: SlotStatus; detail: string }>

/** Whose turn it is among the reads of a thread; of one that nothing else uses, the next round of its event loop. */
export type ReadTurns = Pick<Turns, 'begin' | 'goOn' | 'readTook'>
const untilNextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const ALONE: ReadTurns = {
  begin: untilNextRound,
  goOn: untilNextRound,
  readTook: () => {},
}

/**
 * Answers one partial query. First every slot is judged and, where it must be, waited for; then all cuts are taken at one
 * moment, without giving the thread away; then the kernels run over the frozen rows, in slices, each when its turn comes.
 */
export async function executePartial(
  request: PartialQueryRequest,
  shard: number,
  findSlot: FindSlot,
  startWork: StartWork,
  signal: AbortSignal,
  turns: ReadTurns = ALONE,
): Promise<PartialAnswer> {
  const { namespace = '', name = '' } = request.table ?? {}
  const { plan } = request
  if (plan === undefined) throw new TrueNowError('TN_REQUEST_INVALID', 'A partial query needs a plan.')
  const find = ({ slot }: SlotRequest) => findSlot(namespace, name, slot)
  const waitMs = Number(plan.atLeastWaitUs) / 1_000
  await Promise.all(
    request.slots.map(async (asked) => {
      const slot = find(asked)
      if (slot === undefined || judge(asked, slot, shard).status !== SlotStatus.BEHIND) return
      await slot.reached(Number(asked.atLeastOffset), waitMs, signal)
    }),
  )
  const cuts: Array<Readonly<{ slot: ShardSlot; cut: Cut }>> = []
  let definition: ShardSlot['table']['definition'] | undefined
  const cutTook = startWork()
  const answers = request.slots.map((asked) => {
    const slot = find(asked)
    if (slot === undefined)
      return { slot: asked.slot, status: SlotStatus.NOT_SERVING, detail: 'not on this shard' }
    const judged = judge(asked, slot, shard)
    if (judged.status === SlotStatus.OK) {
      definition ??= slot.table.definitions.get(plan.tableVersion) ?? slot.table.definition
      cuts.push({ slot, cut: slot.replica.cut(asked.slot, Number(plan.startUs), Number(plan.endUs)) })
    }
    return answerOf(asked, slot, judged)
  })
  if (definition === undefined)
    return { slots: answers, batch: new Uint8Array(0), rowsScanned: 0n, rowsMatched: 0n, rowsFromRollups: 0n }
  const offered = cuts.map(({ cut }) =>
    sum(cut.sources.map(({ rowCount }) => Math.max(rowCount, SOURCE_ROWS_MIN))),
  )
  const slices = slicesOf(startWork, signal, turns, sum(offered))
  turns.readTook(cutTook())
  try {
    await slices.begin()
    const executed = await executeOverArenas(plan, definition, cuts.map(({ cut }) => cut), slices.pause) // biome-ignore format: one line
    const batch = limitWholeAnswer(plan, definition, answers, executed.batch)
    return {
      slots: answers,
      batch: encodeColumnBatch(batch),
      rowsScanned: BigInt(executed.rowsScanned),
      rowsMatched: BigInt(executed.rowsMatched),
      rowsFromRollups: BigInt(executed.rowsFromRollups),
    }
  } finally {
    noteScan(cuts, offered, slices.end())
    for (const { cut } of cuts) cut.release()
  }
}

/** Each slot's part of a scan is that of the rows it offered: kernels do not tell which of them took how long. */
function noteScan(
  cuts: ReadonlyArray<Readonly<{ slot: ShardSlot }>>,
  offered: readonly number[],
  tookMs: number,
): void {
  const all = sum(offered)
  for (const [at, { slot }] of cuts.entries())
    slot.load.scanned(tookMs * (all === 0 ? 1 / cuts.length : (offered[at] ?? 0) / all))
}

/** Kernels see one arena: slots of another are run apart, and merged like those of another shard. */
async function executeOverArenas(
  plan: Plan,
  definition: TableDefinition,
  cuts: readonly Cut[],
  pause: Pause,
): Promise<Executed> {
  const sources = cuts.flatMap((cut) => cut.sources)
  const byArena = Map.groupBy(sources, ({ resident }) => resident?.chunk.arena)
  if (byArena.size < 2) return executePlan(plan, definition, sources, pause)
  const parts: Executed[] = []
  for (const some of byArena.values()) parts.push(await executePlan(plan, definition, some, pause))
  return {
    batch: mergePartials(
      plan,
      definition,
      parts.map(({ batch }) => batch),
    ),
    rowsScanned: parts.reduce((sum, { rowsScanned }) => sum + rowsScanned, 0),
    rowsMatched: parts.reduce((sum, { rowsMatched }) => sum + rowsMatched, 0),
    rowsFromRollups: parts.reduce((sum, { rowsFromRollups }) => sum + rowsFromRollups, 0),
  }
}

/** Gives the thread away before the first slice and whenever one is over; `end` answers how long all slices took together. */
function slicesOf(startWork: StartWork, signal: AbortSignal, turns: ReadTurns, rows: number) {
  let sliceTook: (() => number) | undefined
  let tookMs = 0
  const inTurn = async (turn: Promise<void>) => {
    await turn
    if (signal.aborted) throw new TrueNowError('TN_SHUTTING_DOWN', 'The asker left.')
    sliceTook = startWork()
  }
  const end = () => {
    if (sliceTook === undefined) return tookMs
    const sliceMs = sliceTook()
    sliceTook = undefined
    turns.readTook(sliceMs)
    tookMs += sliceMs
    return tookMs
  }
  const pause: Pause = () => {
    if (sliceTook !== undefined && sliceTook() < TURN_MS) return undefined
    end()
    return inTurn(turns.goOn(rows))
  }
  return { begin: () => inTurn(turns.begin(rows)), pause, end }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Whether a slot may answer, by epoch, incarnation, state and position; the order is the order of what the asker can mend. */
function judge(asked: SlotRequest, slot: ShardSlot, shard: number): Judged {
  const { assignment } = slot
  const named = asked.shards.includes(shard)
  const sameIncarnation = Number(asked.incarnation) === assignment.incarnation
  const newer = Number(asked.epoch) > assignment.epoch
  if (!sameIncarnation || Number(asked.epoch) < assignment.epoch) {
    return {
      status: SlotStatus.STALE_EPOCH,
      detail: `epoch ${assignment.epoch}, incarnation ${assignment.incarnation}`,
    }
  }
  // A newer epoch that names this shard is adopted: the asker heard of it first. As serving, since only those are named.
  const adopted = newer && named
  if (adopted)
    slot.assignment = {
      ...assignment,
      epoch: Number(asked.epoch),
      state: ReplicaState.SERVING,
      shards: asked.shards,
    }
  // What is held no longer is what the log says. A slot that merely waits answers at its cut: its watermark stands still.
  if (slot.isStartingOver || slot.stalledReason.startsWith('LogRewritten'))
    return { status: SlotStatus.STALLED, detail: slot.stalledReason }
  if (newer && !named)
    return { status: SlotStatus.NOT_SERVING, detail: 'a newer epoch does not name this shard' }
  if (slot.assignment.state !== ReplicaState.SERVING) {
    return { status: SlotStatus.NOT_SERVING, detail: 'the replica has not caught up yet or is leaving' }
  }
  if (slot.replica.cursor.offset < Number(asked.atLeastOffset)) {
    const why = slot.stalledReason === '' ? '' : `; ${slot.stalledReason}`
    return { status: SlotStatus.BEHIND, detail: `at offset ${slot.replica.cursor.offset}${why}` }
  }
  return { status: SlotStatus.OK, detail: '' }
}

function answerOf(asked: SlotRequest, slot: ShardSlot, { status, detail }: Judged) {
  const { replica, assignment } = slot
  return {
    slot: asked.slot,
    status,
    detail,
    cursor: { offset: BigInt(replica.cursor.offset), checksum: replica.cursor.checksum },
    epoch: BigInt(assignment.epoch),
    incarnation: BigInt(assignment.incarnation),
    shards: [...assignment.shards],
    watermarkUs: BigInt(slot.watermarkUs),
    retainedFromUs: BigInt(replica.retainedFromUs),
    gaps: replica.gaps.map(gapMessage),
  }
}

export const gapMessage = (gap: ShardSlot['replica']['gaps'][number]) => ({
  firstOffset: BigInt(gap.firstOffset),
  resumeOffset: BigInt(gap.resumeOffset),
  fromUs: BigInt(Math.max(0, gap.fromUs)),
  toUs: BigInt(gap.toUs),
})
