import { create } from '@bufbuild/protobuf'
import type { Clock } from '@truenow/chassis/clock.ts'
import { type ErrorCode, TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type PartialQueryRequest,
  PartialQueryRequestSchema,
  type PartialQueryResponse,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { SlotCut } from '@truenow/kernels/query/judge-completeness.ts'
import { judgeResponse } from './judge-response.ts'
import { placeSlots, type Replica } from './place-slots.ts'
import type { ShardClient } from './shard-client.ts'
import type { ShardLoads } from './shard-loads.ts'
import { newTask, type Part, type Question, type SlotMap, type SlotTask, settleForLess } from './slot-task.ts'

export type MissingSlot = Readonly<{ slot: number; reason: string }>
/** Each slot is in exactly one part and in `cuts`, or in `missing`. */
export type Gathering = Readonly<{
  parts: readonly Part[]
  cuts: readonly SlotCut[]
  missing: readonly MissingSlot[]
  regressed: boolean
  shardsAsked: ReadonlySet<number>
}>
export type AskEvent = 'asked' | 'failed' | 'hedged' | 'overtaken' | 'map_retried' | 'behind' | 'refused'
export type AskPorts = Readonly<{
  clock: Clock
  loads: ShardLoads
  /** Undefined: the catalog knows no address of this shard. */
  client: (shard: number) => ShardClient | undefined
  incarnationOf: (shard: number) => bigint
  /** The newest assignment known now, which may be newer than the question's. */
  currentMap: (slot: number) => SlotMap | undefined
  delay: (ms: number, signal: AbortSignal) => Promise<void>
  note: (event: AskEvent) => void
  hedgeMs: number
  hedgesMax: number
  /** How long a replica may take to catch up with what this process has served. */
  catchUpMs: number
  hedges: { inFlight: number }
}>
type Member = Readonly<{ slot: SlotTask & { candidates: readonly Replica[] }; replica: Replica }>
type Attempt = Readonly<{ part: Part | undefined; cuts: readonly SlotCut[]; failed: readonly SlotTask[] }>
type Found = Readonly<{ parts: readonly Part[]; cuts: readonly SlotCut[]; missing: readonly SlotTask[] }>
type Run = Readonly<{ question: Question; ports: AskPorts; shardsAsked: Set<number> }>

/** A request that a hedge overtook is dropped with this reason, and its shard is suspected for a while. */
const OVERTAKEN = new Error('another replica answered first')
/** Refusals that every replica would repeat: the statement's own fault. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'TN_QUERY_LIMIT',
  'TN_QUERY_INVALID',
  'TN_COLUMN_UNKNOWN',
  'TN_REQUEST_INVALID',
])

/**
 * Gets each slot's answer from exactly one serving replica: shards are asked side by side; whoever fails, refuses the
 * epoch or is behind is replaced by the next replica; whoever is slow is hedged, and the first whole answer is taken.
 * A batch covers all slots that its shard answered, so answers of two shards are never mixed for one slot.
 * Errors: the statement's own (FINAL); the signal's reason. A slot that nobody could answer is a value: `missing`.
 */
export async function askSlots(question: Question, ports: AskPorts, signal: AbortSignal): Promise<Gathering> {
  const ended = new AbortController()
  const within = AbortSignal.any([signal, ended.signal])
  const run: Run = { question, ports, shardsAsked: new Set() }
  const tasks = question.slots.map((map) => newTask(map, question))
  try {
    let found = await gather(tasks, run, within)
    const behind = found.missing.filter((task) => task.behind.size > 0 && task.wanted > task.demanded)
    if (behind.length > 0) {
      for (const task of behind) settleForLess(task)
      const missing = found.missing.filter((task) => !behind.includes(task))
      found = join({ ...found, missing }, await gather(behind, run, within))
    }
    signal.throwIfAborted()
    return {
      parts: found.parts.toSorted((left, right) => left.slot - right.slot),
      cuts: found.cuts.toSorted((left, right) => left.slot - right.slot),
      missing: found.missing
        .map(({ slot, reason }) => ({ slot, reason }))
        .toSorted((left, right) => left.slot - right.slot),
      regressed: found.cuts.some(({ slot, offset }) => offset < question.served(slot)),
      shardsAsked: run.shardsAsked,
    }
  } finally {
    ended.abort()
  }
}

async function gather(tasks: readonly SlotTask[], run: Run, signal: AbortSignal): Promise<Found> {
  const open = tasks.map((task) =>
    Object.assign(task, { candidates: task.replicas.filter(({ shard }) => !task.tried.has(shard)) }),
  )
  const nowMs = run.ports.clock.monotonicMs()
  if (signal.aborted || nowMs >= run.question.deadlineMs) return { parts: [], cuts: [], missing: tasks }
  const groups = placeSlots(open, run.ports.loads, run.ports.loads.nextTurn())
  const missing = open.filter(({ candidates }) => candidates.length === 0)
  const found = await Promise.all(
    [...groups].map(([shard, members]) => askGroup(shard, members, run, signal)),
  )
  return found.reduce(join, { parts: [], cuts: [], missing })
}

async function askGroup(
  shard: number,
  members: readonly Member[],
  run: Run,
  signal: AbortSignal,
): Promise<Found> {
  const own = new AbortController()
  const primary = attempt(shard, members, run, AbortSignal.any([signal, own.signal]))
  primary.catch(() => {}) // Awaited below; a rejection while a rival is awaited must not be unhandled.
  const tasks = members.map(({ slot }) => slot)
  const { hedges, hedgesMax } = run.ports
  let first: Attempt | undefined
  if (members.every(({ slot }) => slot.candidates.length > 1)) {
    first = await withinDelay(primary, run, signal)
    if (first === undefined && hedges.inFlight < hedgesMax) return hedge(primary, own, tasks, run, signal)
  }
  return retryRest(first ?? (await primary), run, signal)
}

/** The primary is slow: ask the same slots elsewhere too, and take whichever is whole first. */
async function hedge(
  primary: Promise<Attempt>,
  own: AbortController,
  tasks: readonly SlotTask[],
  run: Run,
  signal: AbortSignal,
): Promise<Found> {
  const rival = new AbortController()
  const { hedges, note } = run.ports
  hedges.inFlight++
  note('hedged')
  const secondary = gather(tasks, run, AbortSignal.any([signal, rival.signal]))
  secondary.catch(() => {})
  try {
    const first = await Promise.race([primary, secondary])
    if ('failed' in first && first.failed.length === 0) return asFound(first)
    if ('missing' in first && first.missing.length === 0) {
      note('overtaken')
      own.abort(OVERTAKEN)
      return first
    }
    const [answer, other] = await Promise.all([primary, secondary])
    if (answer.failed.length === 0 || answer.failed.length < other.missing.length) return asFound(answer)
    return other
  } finally {
    hedges.inFlight--
    rival.abort()
  }
}

async function retryRest(answer: Attempt, run: Run, signal: AbortSignal): Promise<Found> {
  if (answer.failed.length === 0) return asFound(answer)
  return join(asFound({ ...answer, failed: [] }), await gather(answer.failed, run, signal))
}

/** Asks one shard once. Failures are values; only the statement's own fault is thrown. */
async function attempt(
  shard: number,
  members: readonly Member[],
  run: Run,
  signal: AbortSignal,
): Promise<Attempt> {
  const { ports, question, shardsAsked } = run
  const failed = members.map(({ slot }) => slot)
  const fail = (reason: string): Attempt => {
    for (const task of failed) task.reason = `shard ${shard}: ${reason}`
    return { part: undefined, cuts: [], failed }
  }
  for (const task of failed) task.tried.add(shard)
  const client = ports.client(shard)
  if (client === undefined) return fail('the catalog knows no address of it')
  const timeoutMs = Math.max(1, Math.ceil(question.deadlineMs - ports.clock.monotonicMs()))
  const request = requestOf(members, run, timeoutMs)
  const end = ports.loads.begin(shard)
  shardsAsked.add(shard)
  ports.note('asked')
  let response: PartialQueryResponse
  try {
    response = await client.executePartial(request, { signal, timeoutMs })
  } catch (error) {
    if (signal.aborted) {
      end(signal.reason === OVERTAKEN ? 'slow' : 'dropped')
      return fail('dropped')
    }
    const final = error instanceof TrueNowError && FINAL.has(error.code)
    end(final ? 'answered' : 'failed')
    if (final) throw error
    ports.note('failed')
    return fail(error instanceof Error ? error.message : String(error))
  }
  const judged = judgeResponse(shard, request.slots, response, failed, ports)
  end(judged.lie !== undefined ? 'failed' : response.leaving ? 'leaving' : 'answered')
  if (judged.lie !== undefined) {
    ports.note('refused')
    return fail(judged.lie)
  }
  return judged
}

function requestOf(
  members: readonly Member[],
  { question, ports }: Run,
  timeoutMs: number,
): PartialQueryRequest {
  const demanded = members.some(({ slot }) => slot.demanded >= 0)
  const waitMs = demanded ? timeoutMs / 2 : Math.min(ports.catchUpMs, timeoutMs / 2)
  return create(PartialQueryRequestSchema, {
    table: question.table,
    plan: { ...question.plan, atLeastWaitUs: BigInt(Math.round(waitMs * 1_000)) },
    slots: members.map(({ slot: task, replica }) => ({
      slot: task.slot,
      epoch: task.epoch,
      incarnation: replica.incarnation,
      shards: task.replicas.map(({ shard }) => shard),
      atLeastOffset: BigInt(task.wanted),
    })),
  })
}

/** The attempt's result, or undefined when the hedge delay passed first. */
async function withinDelay(
  primary: Promise<Attempt>,
  run: Run,
  signal: AbortSignal,
): Promise<Attempt | undefined> {
  const done = new AbortController()
  const passed = run.ports.delay(run.ports.hedgeMs, AbortSignal.any([signal, done.signal])).then(
    () => undefined,
    () => primary, // Aborted: the primary is aborted with it, and tells.
  )
  try {
    return await Promise.race([primary, passed])
  } finally {
    done.abort()
  }
}

const asFound = ({ part, cuts, failed }: Attempt): Found => ({
  parts: part === undefined ? [] : [part],
  cuts,
  missing: failed,
})
const join = (left: Found, right: Found): Found => ({
  parts: [...left.parts, ...right.parts],
  cuts: [...left.cuts, ...right.cuts],
  missing: [...left.missing, ...right.missing],
})
