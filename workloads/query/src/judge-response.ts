import {
  type PartialQueryResponse,
  type SlotAnswer,
  type SlotRequest,
  SlotStatus,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { SlotCut } from '@truenow/kernels/query/judge-completeness.ts'
import { adoptMap, type Part, type SlotMap, type SlotTask } from './slot-task.ts'

export type JudgedResponse = Readonly<{
  part: Part | undefined
  cuts: readonly SlotCut[]
  /** Slots that must be asked elsewhere; their tasks say why and know the newer map. */
  failed: readonly SlotTask[]
  /** Set: something in the response cannot be, so none of it is used. */
  lie: string | undefined
}>
type Ports = Readonly<{
  currentMap: (slot: number) => SlotMap | undefined
  incarnationOf: (shard: number) => bigint
  note: (event: 'behind' | 'map_retried') => void
}>

/**
 * Sorts a shard's response into what may be used and what must be asked again. The batch is merged over every slot
 * that is OK, so one slot that may not be counted (older epoch, other incarnation, below what was asked, a slot that
 * nobody asked for) spoils the whole response.
 */
export function judgeResponse(
  shard: number,
  asked: readonly SlotRequest[],
  response: PartialQueryResponse,
  tasks: readonly SlotTask[],
  ports: Ports,
): JudgedResponse {
  const cuts: SlotCut[] = []
  const failed: SlotTask[] = []
  const spoiled = (lie: string): JudgedResponse => ({ part: undefined, cuts: [], failed: tasks, lie })
  const answers = new Map(response.slots.map((answer) => [answer.slot, answer]))
  if (answers.size !== response.slots.length || answers.size > asked.length) {
    return spoiled('it answered for slots that it was not asked for')
  }
  for (const [at, request] of asked.entries()) {
    const task = tasks[at]
    const answer = answers.get(request.slot)
    if (task === undefined || answer === undefined) return spoiled(`it left out slot ${request.slot}`)
    if (answer.status !== SlotStatus.OK) {
      refused(shard, task, answer, ports)
      failed.push(task)
      continue
    }
    const lie = whyNotCounted(request, answer)
    if (lie !== undefined) return spoiled(lie)
    const newest = ports.currentMap(request.slot)
    if (newest !== undefined && hasMovedOn(shard, answer, newest)) {
      followMoves(shard, tasks, ports)
      return spoiled(`slot ${request.slot} has moved on to epoch ${newest.epoch} without it`)
    }
    cuts.push(cutOf(shard, answer))
  }
  const { batch } = response
  const [first] = cuts
  const part = first && {
    slot: first.slot,
    batch,
    rowsScanned: Number(response.rowsScanned),
    rowsMatched: Number(response.rowsMatched),
    rowsFromRollups: Number(response.rowsFromRollups),
  }
  return { part, cuts, failed, lie: undefined }
}

/** Notes why a slot was refused, and takes over the shard's map where it is the newer one. */
function refused(shard: number, task: SlotTask, answer: SlotAnswer, ports: Ports): void {
  const [name] = Object.entries(SlotStatus).find(([, status]) => status === answer.status) ?? ['UNSPECIFIED']
  task.reason = `shard ${shard}: ${name}${answer.detail === '' ? '' : ` (${answer.detail})`}`
  if (answer.status === SlotStatus.BEHIND) {
    task.behind.add(shard)
    ports.note('behind')
  }
  if (answer.status !== SlotStatus.STALE_EPOCH) return
  const replicas = answer.shards.map((each) => ({
    shard: each,
    incarnation: each === shard ? answer.incarnation : ports.incarnationOf(each),
  }))
  if (adoptMap(task, { epoch: answer.epoch, replicas })) ports.note('map_retried')
}

function whyNotCounted(request: SlotRequest, answer: SlotAnswer): string | undefined {
  const slot = `slot ${request.slot}`
  if (answer.epoch < request.epoch)
    return `${slot} was answered under epoch ${answer.epoch}, not ${request.epoch}`
  if (answer.incarnation !== request.incarnation) {
    return `${slot} was answered by incarnation ${answer.incarnation}, not ${request.incarnation}`
  }
  if (answer.cursor !== undefined && answer.cursor.offset >= request.atLeastOffset) return undefined
  return `${slot} was answered at ${answer.cursor?.offset ?? 'no offset'}, below ${request.atLeastOffset}`
}

/** A shard that was paused while its slot went elsewhere answers under an epoch that is over by now. */
function hasMovedOn(shard: number, answer: SlotAnswer, newest: SlotMap): boolean {
  if (newest.epoch <= answer.epoch) return false
  return !newest.replicas.some((each) => each.shard === shard && each.incarnation === answer.incarnation)
}

/** Some slots of a spoiled response have moved: they follow the newest map, and the shard may be asked for the others. */
function followMoves(shard: number, tasks: readonly SlotTask[], { currentMap }: Ports): void {
  const moved = tasks.filter((task) => {
    const newest = currentMap(task.slot)
    return newest !== undefined && adoptMap(task, newest)
  })
  if (moved.length === 0) return // Nothing was learnt, so nobody is asked again: the search ends.
  for (const task of tasks) if (!moved.includes(task)) task.tried.delete(shard)
}

function cutOf(shard: number, answer: SlotAnswer): SlotCut {
  return {
    slot: answer.slot,
    shard,
    incarnation: Number(answer.incarnation),
    offset: Number(answer.cursor?.offset ?? -1),
    checksum: answer.cursor?.checksum ?? 0,
    watermarkUs: Number(answer.watermarkUs),
    retainedFromUs: Number(answer.retainedFromUs),
    gaps: answer.gaps.map(({ firstOffset, resumeOffset, fromUs, toUs }) => ({
      firstOffset: Number(firstOffset),
      resumeOffset: Number(resumeOffset),
      fromUs: Number(fromUs),
      toUs: Number(toUs),
    })),
  }
}
