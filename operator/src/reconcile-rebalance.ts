import { isDeepStrictEqual } from 'node:util'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Rebalance, RebalanceState, RebalanceStatus } from './api/v1alpha1/rebalance.ts'
import { HOT_SLOT_PERCENT_DEFAULT, type TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import { mergeConditions } from './conditions/merge-conditions.ts'
import { isOwn } from './ensure-own-rebalance.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import { REBALANCES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import type { Heat } from './plan-balance.ts'
import { planRepair } from './plan-repair.ts'
import { type Proposal, proposeBalance, proposeRepair, shardsOf } from './propose-rebalance.ts'
import { rebalanceProgress } from './rebalance-progress.ts'
import { askedVerb, type RebalanceVerb, whyNotNow, withoutVerb } from './rebalance-verb.ts'
import { repairGoal } from './repair-goal.ts'
import { rfc3339 } from './rfc3339.ts'
import { writeStatus } from './write-status.ts'

/** A proposal is a picture of one moment; it is drawn again this often at most, so that its object rests. */
const REFRESH_MS = 60_000
/** One of the operator's own rests shorter: what its moves left to do is planned from where they ended. */
const OWN_REFRESH_MS = 5_000
/** While moves go on, or something is in the way. */
const AGAIN_MS = 1_000
/** Moves at once where the cluster says nothing else. */
const CONCURRENT_MOVES = 2

type Pass = Readonly<{ context: OperatorContext; rebalance: Rebalance; cluster: TrueNowCluster }>

/**
 * One pass over one Rebalance: a proposal until it is approved, then its moves until all are over. The control plane holds
 * the moves and judges every step; status is a mirror of it, from which only the round is read back, and a pass that was cut
 * off anywhere is simply made again.
 */
export async function reconcileRebalance(
  context: OperatorContext,
  key: ObjectKey,
): Promise<{ afterMs: number } | undefined> {
  const rebalance = context.rebalances.get(key)
  if (rebalance === undefined || rebalance.metadata.deletionTimestamp !== undefined) return undefined
  const cluster = context.clusters.get({ namespace: key.namespace, name: rebalance.spec.clusterRef.name })
  const holder = cluster?.status?.operator
  if (holder !== undefined && holder !== context.identity) return { afterMs: REFRESH_MS }
  const verb = askedVerb(rebalance)
  const restMs = verb === undefined ? untilNextStep(context, rebalance) : 0
  if (restMs > 0) return { afterMs: restMs }
  const status = await judge(context, rebalance, cluster, verb)
  // Status first: with the round in it, whoever goes on after us finds the plan that was written.
  await tell(context, rebalance, status)
  if (verb !== undefined) await takeVerbOff(context, rebalance, verb)
  const rests = status.state === 'ProposalReady' || status.state === 'Ready' || status.state === 'Stopped'
  if (!rests) return { afterMs: AGAIN_MS }
  return { afterMs: cluster !== undefined && isOwn(rebalance, cluster) ? OWN_REFRESH_MS : REFRESH_MS }
}

/** Our own status comes back as a change at once; moves are not asked to go on more often for that. */
function untilNextStep({ driven, clock }: OperatorContext, { metadata, status }: Rebalance): number {
  const lastMs = driven.get(metadata.uid)
  if (status?.state !== 'Rebalancing' || lastMs === undefined) return 0
  return lastMs + AGAIN_MS - clock.monotonicMs()
}

async function judge(
  context: OperatorContext,
  rebalance: Rebalance,
  cluster: TrueNowCluster | undefined,
  asked: RebalanceVerb | undefined,
): Promise<RebalanceStatus> {
  const { spec, status: before = {} } = rebalance
  if (cluster === undefined) {
    const message = `There is no TrueNowCluster ${spec.clusterRef.name} in this namespace; create it, or another Rebalance.`
    return { ...before, state: 'NotReady', message }
  }
  // What was in the way before anything was approved (no cluster yet, a placement that changed) may be gone by now.
  const begun = (before.round ?? 0) > 0 && !isOwn(rebalance, cluster)
  const state =
    before.state === 'NotReady' && !begun ? 'PendingProposal' : (before.state ?? 'PendingProposal')
  const refused = asked === undefined ? undefined : whyNotNow(asked, state)
  if (refused !== undefined)
    await context.record(rebalance, {
      type: 'Warning',
      reason: 'VerbRefused',
      action: 'Rebalance',
      note: refused,
    })
  const verb = refused === undefined ? asked : undefined
  try {
    return await advance({ context, rebalance, cluster }, state, verb)
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    if (error.code === 'TN_MOVE_REFUSED')
      return {
        ...before,
        state: 'NotReady',
        message: `${error.message} Annotate with truenow.io/refresh=true.`,
      }
    // What was proposed or goes on stays readable; a control plane that is away says nothing about it.
    if (state === 'PendingProposal') return { ...before, state, message: error.message }
    return { ...before, message: `${error.message} It goes on by itself.` }
  }
}

async function advance(
  pass: Pass,
  state: RebalanceState,
  verb: RebalanceVerb | undefined,
): Promise<RebalanceStatus> {
  const { rebalance, cluster } = pass
  const own = isOwn(rebalance, cluster)
  const auto = own || (cluster.spec.rebalance?.mode === 'Auto' && rebalance.spec.mode === 'Full')
  if (state === 'Rebalancing') return drive(pass, verb === 'stop')
  const over = state === 'Ready' || state === 'Stopped' || state === 'NotReady'
  if (over && verb !== 'refresh' && !own && !(auto && state === 'Ready')) return { ...rebalance.status }
  const round = rebalance.status?.round ?? 0
  const placement = await pass.context.operands.controlPlane(cluster.metadata).getPlacement({})
  // Whoever wrote and approved it did not live to tell: its slots would be missing in every proposal.
  if (placement.openPlans.includes(planIdOf(rebalance, round + 1))) return resume(pass, placement, round + 1)
  if (auto && !own && comesLater(pass, placement))
    return { ...rebalance.status, state, message: 'Other replicas have to move first; it goes on by itself.' }
  const proposal = propose(pass, placement)
  if (proposal.moveCount === 0) {
    // What the last moves were stays to be read.
    if (own && over) return { ...rebalance.status }
    const rests = own ? 'Ready' : 'ProposalReady'
    return { state: over ? state : rests, round, message: NOTHING[rebalance.spec.mode] ?? '', ...proposal }
  }
  const standing = isSame(rebalance.status, proposal)
  const paused = cluster.spec.paused === true
  if ((verb === 'approve' && standing) || (auto && !paused)) return begin(pass, proposal, round + 1)
  const again = verb === 'approve' ? 'The placement has changed since this was proposed: look again. ' : ''
  const message = `${again}${proposal.moveCount} moves would even the shards; annotate with truenow.io/approve=true to make them.`
  return { state: 'ProposalReady', round, message, ...proposal }
}

function propose({ context, cluster, rebalance }: Pass, placement: GetPlacementResponse): Proposal {
  const { mode } = rebalance.spec
  if (mode !== 'RemoveShards' && mode !== 'Repair') return proposeBalance(placement, heatOf(context, cluster))
  return proposeRepair(placement, repairGoal(context, cluster, placement), mode)
}

const heatOf = ({ heat }: OperatorContext, { metadata, spec }: TrueNowCluster): Heat => ({
  isHot: (key) => heat.isHot(metadata.uid, key),
  hotAt: (spec.rebalance?.hotSlotPercent ?? HOT_SLOT_PERCENT_DEFAULT) / 100,
})

/** Repair before balance, and a slot that moves cannot be planned: what approves itself waits for both. */
const comesLater = ({ context, cluster }: Pass, placement: GetPlacementResponse): boolean =>
  placement.openMoves.length > 0 ||
  planRepair(placement, repairGoal(context, cluster, placement)).moves.length > 0

const REASONS: Readonly<Record<string, string>> = { Full: 'Balance' }
const NOTHING: Readonly<Record<string, string>> = {
  Full: 'The shards are even: no move would help.',
  RemoveShards: 'No slot stands on a shard that shall go or is drained.',
  Repair: 'Every slot stands on as many shards as it shall.',
}

/** What people approved is what they were shown: the moves, while their bytes may have grown. */
function isSame(shown: RebalanceStatus | undefined, proposal: Proposal): boolean {
  const plain = (moves: RebalanceStatus['moves']) =>
    (moves ?? []).map(({ table, slot, from, to }) => ({ table, slot, from, to }))
  return (
    shown?.moveCount === proposal.moveCount && isDeepStrictEqual(plain(shown.moves), plain(proposal.moves))
  )
}

/** The plan is known by its round, so a repetition of this changes nothing. */
async function begin(pass: Pass, proposal: Proposal, round: number): Promise<RebalanceStatus> {
  const { context, rebalance, cluster } = pass
  const controlPlane = context.operands.controlPlane(cluster.metadata)
  const planId = planIdOf(rebalance, round)
  const { moves } = await context.leaderEpochs.under(cluster.metadata, async (leaderEpoch) => {
    const { namespace, name } = rebalance.metadata
    await controlPlane.planMoves({
      leaderEpoch,
      planId,
      reason: REASONS[rebalance.spec.mode] ?? rebalance.spec.mode,
      askedBy: `Rebalance ${namespace}/${name}`,
      moves: proposal.all.map(({ table, slot, from, to, bytes }) => {
        const [tableNamespace = '', tableName = ''] = table.split('.')
        return { table: { namespace: tableNamespace, name: tableName }, slot, from, to, bytes: BigInt(bytes) }
      }),
    })
    return controlPlane.approveMoves({ leaderEpoch, planId })
  })
  const { shards } = proposal
  return { ...rebalanceProgress(moves, context.clock.nowUs()), shards, round }
}

/** Goes on with a plan that was begun. It was written only because it was approved, and nobody has told of it yet. */
async function resume(
  { context, rebalance, cluster }: Pass,
  placement: GetPlacementResponse,
  round: number,
): Promise<RebalanceStatus> {
  const controlPlane = context.operands.controlPlane(cluster.metadata)
  const planId = planIdOf(rebalance, round)
  const { moves } = await context.leaderEpochs.under(cluster.metadata, (leaderEpoch) =>
    controlPlane.approveMoves({ leaderEpoch, planId }),
  )
  const shards = shardsOf(placement, moves)
  return { ...rebalanceProgress(moves, context.clock.nowUs()), shards, round }
}

/** One step for the moves of the present round. */
async function drive({ context, rebalance, cluster }: Pass, stop: boolean): Promise<RebalanceStatus> {
  const { round = 1, shards = [] } = rebalance.status ?? {}
  for (const [uid, lastMs] of context.driven)
    if (context.clock.monotonicMs() - lastMs > REFRESH_MS) context.driven.delete(uid)
  context.driven.set(rebalance.metadata.uid, context.clock.monotonicMs())
  const controlPlane = context.operands.controlPlane(cluster.metadata)
  const planId = planIdOf(rebalance, round)
  const paused = cluster.spec.paused === true
  const concurrentMoves = paused ? 0 : (cluster.spec.rebalance?.concurrentMoves ?? CONCURRENT_MOVES)
  const lost = context.silence.lost(cluster.metadata.uid)
  const { moves } = await context.leaderEpochs.under(cluster.metadata, async (leaderEpoch) => {
    const waitsForLost = (rebalance.status?.moves ?? []).some(({ to, phase }) => to !== undefined && lost.has(to) && isBeforeServing(phase)) // biome-ignore format: one line
    if (stop || waitsForLost) await controlPlane.cancelMoves({ leaderEpoch, planId })
    return controlPlane.advanceMoves({ leaderEpoch, planId, concurrentMoves })
  })
  if (moves.length === 0) {
    const message =
      'The control plane knows nothing of these moves: its catalog was made anew, or they are long over; annotate with truenow.io/refresh=true.'
    return { ...rebalance.status, state: 'NotReady', message }
  }
  return { ...rebalanceProgress(moves, context.clock.nowUs()), shards, round }
}

/** Its receiver will not come back, so it would wait for ever; undone, the slot is planned anew. */
const isBeforeServing = (phase = ''): boolean => ['Planned', 'Bootstrapping', 'CaughtUp'].includes(phase)

/** One plan a round: an approval that arrives late belongs to the proposal that was approved. */
export const planIdOf = ({ metadata }: Rebalance, round: number): string => `${metadata.uid}/${round}`

/** The verb has been obeyed or refused: it must not be obeyed once more. */
async function takeVerbOff(
  { kubernetes }: OperatorContext,
  { metadata }: Rebalance,
  verb: RebalanceVerb,
): Promise<void> {
  const { name, namespace, uid } = metadata
  const patch = { metadata: { uid, annotations: withoutVerb(verb) } }
  await kubernetes.mergePatch(REBALANCES, { namespace, name }, patch)
}

async function tell(
  context: OperatorContext,
  rebalance: Rebalance,
  told: RebalanceStatus & { all?: unknown },
): Promise<void> {
  const { metadata, status: before = {} } = rebalance
  const { all: _, conditions: _old, ...status } = told
  const { state = 'PendingProposal', message = '' } = status
  const ready = {
    type: 'Ready',
    status: state === 'Ready' ? 'True' : 'False',
    reason: state,
    message,
  } as const
  const now = rfc3339(context.clock.nowUs())
  const conditions = mergeConditions(before.conditions ?? [], [ready], metadata.generation, now)
  const written = { ...status, observedGeneration: metadata.generation, conditions }
  await writeStatus(context, REBALANCES, rebalance, written)
  if (state === before.state) return
  const type = state === 'NotReady' ? 'Warning' : 'Normal'
  await context.record(rebalance, { type, reason: state, action: 'Rebalance', note: message })
}
