import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { findMismatch } from './find-mismatch.ts'
import { findUnbalanced } from './find-unbalanced.ts'
import { type Health, judgeReplica, type Patience } from './judge-replica.ts'
import type { IngesterView, ReplicaView } from './observations.ts'

/** How fresh one slot is, and if it is not, who is to blame. */
export type SlotFreshness = Readonly<{
  slot: number
  health: Health
  watermarkUs: number | undefined
  cursorOffset: number
  endOffset: number
  servingReplicas: number
  culprit: string
  mismatch: string
  /** Conservation that does not add up; empty = it does. */
  unbalanced: string
  residentRows: number
}>
/** A replica that the catalog assigns, with what its shard told of it, if anything. */
export type AssignedReplica = Readonly<{
  shard: number
  incarnation: number
  state: ReplicaState
  view: ReplicaView | undefined
  failure: string
}>
const BEST_FIRST: readonly Health[] = ['ACTIVE', 'IDLE', 'LAGGING', 'STALLED', 'UNKNOWN']

/**
 * A slot is as healthy as its best serving replica, since a query is answered from that one; `culprit` also names a
 * replica that is worse. Its watermark is the greatest of the replicas that answer.
 */
export function judgeSlot(
  slot: number,
  replicas: readonly AssignedReplica[],
  ingesters: readonly IngesterView[],
  patience: Patience,
): SlotFreshness {
  const serving = replicas.filter(({ state }) => state === ReplicaState.SERVING)
  const judged = serving.map((replica) => ({ replica, ...judgeAssigned(replica, ingesters, patience) }))
  const ordered = judged.toSorted((a, b) => BEST_FIRST.indexOf(a.health) - BEST_FIRST.indexOf(b.health))
  const answering = ordered.flatMap(({ health, replica: { view } }) =>
    health === 'UNKNOWN' || view === undefined ? [] : [view],
  )
  const most = (value: (view: ReplicaView) => bigint, none: number) =>
    answering.reduce((greatest, view) => Math.max(greatest, Number(value(view))), none)
  const [best] = ordered
  const worst = ordered.at(-1)
  const joining = replicas.length - serving.length
  const nobody = `no serving replica${joining === 0 ? '' : ` (${joining} joining or leaving)`}`
  const unbalanced = answering.map((view) => ({ shard: view.shard, what: findUnbalanced(view.state) }))
  const broken = unbalanced.find(({ what }) => what !== '')
  return {
    slot,
    health: best?.health ?? 'UNKNOWN',
    watermarkUs: answering.length === 0 ? undefined : most(({ state }) => state.watermarkUs, -Infinity),
    cursorOffset: most(({ state }) => state.cursor?.offset ?? -1n, -1),
    endOffset: Math.max(
      most(({ state }) => state.endOffset, 0),
      ...ingesters.map(({ endOffset }) => Number(endOffset ?? 0n)),
    ),
    servingReplicas: answering.length,
    culprit: best === undefined ? nobody : best.culprit || (worst?.culprit ?? ''),
    mismatch: findMismatch(answering),
    unbalanced: broken === undefined ? '' : `shard ${broken.shard}: ${broken.what}`,
    residentRows: Number(answering[0]?.state.residentRows ?? 0n),
  }
}

function judgeAssigned(
  { shard, incarnation, view, failure }: AssignedReplica,
  ingesters: readonly IngesterView[],
  patience: Patience,
): Readonly<{ health: Health; culprit: string }> {
  if (view === undefined) {
    const why = failure === '' ? 'has not told of it yet' : `does not answer: ${failure}`
    return { health: 'UNKNOWN', culprit: `shard ${shard} ${why}` }
  }
  const { state } = view
  if (Number(state.incarnation) !== incarnation || state.state !== ReplicaState.SERVING) {
    const held = Number(state.incarnation) === incarnation ? 'not as serving' : 'as another incarnation'
    return { health: 'UNKNOWN', culprit: `shard ${shard} holds it ${held}` }
  }
  return judgeReplica(view, ingesters, patience)
}
