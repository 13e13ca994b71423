import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type PlanRebalanceRequest,
  type RebalanceProgress,
  RebalanceProgressSchema,
  type RebalanceRequest,
  type RebalancerPlacementRequest,
} from '@truenow/contracts/gen/truenow/v1/rebalancer_pb.ts'
import { NOBODY } from '@truenow/kernels/sharding/move-protocol.ts'
import { API_VERSION, APPROVE_ANNOTATION, STOP_ANNOTATION } from './api/names.ts'
import type { Rebalance } from './api/v1alpha1/rebalance.ts'
import { KubernetesError, type ObjectKey } from './kubernetes/kubernetes-port.ts'
import { REBALANCES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'

/** Watches of Rebalances that one process keeps. */
export const REBALANCE_WATCHERS_MAX = 64
/** The cache is looked at this often; it costs no request. */
const LOOK_MS = 200

type Parts = Pick<OperatorContext, 'clusters' | 'rebalances' | 'operands' | 'kubernetes'>

/**
 * The rebalancer API: Rebalance objects for programs. Reading is open on every replica; what writes is refused by one that
 * does not lead. Errors: TN_REQUEST_INVALID for what is not there, TN_PEER_UNAVAILABLE without leadership or API server.
 */
export function createRebalancerService(parts: Parts) {
  const { clusters, operands, kubernetes } = parts
  let watchers = 0
  const requireCluster = (key: ObjectKey): void => {
    if (clusters.get(key) !== undefined) return
    const message = `There is no TrueNowCluster ${key.name} in Kubernetes namespace ${key.namespace} that this operator watches; see kubectl get truenowclusters -A.`
    throw new TrueNowError('TN_REQUEST_INVALID', message, { details: { path: 'cluster' } })
  }
  const annotate = async (request: RebalanceRequest, annotation: string): Promise<RebalanceProgress> => {
    const { metadata } = await fetchRebalance(parts, keyOf(request))
    const patch = { metadata: { uid: metadata.uid, annotations: { [annotation]: 'true' } } }
    return progressOf(await asked(kubernetes.mergePatch<Rebalance>(REBALANCES, keyOf(request), patch)))
  }
  return {
    getPlacement: async ({ kubernetesNamespace, cluster }: RebalancerPlacementRequest) => {
      const key = { namespace: kubernetesNamespace, name: cluster }
      requireCluster(key)
      return { placement: await operands.controlPlane(key).getPlacement({}) }
    },
    planRebalance: async (request: PlanRebalanceRequest): Promise<RebalanceProgress> => {
      const { kubernetesNamespace: namespace, cluster, name } = request
      requireCluster({ namespace, name: cluster })
      const metadata = { namespace, name }
      const spec = { clusterRef: { name: cluster }, mode: 'Full' }
      const object = { apiVersion: API_VERSION, kind: REBALANCES.kind, metadata, spec }
      try {
        return progressOf(await asked(kubernetes.create<Rebalance>(REBALANCES, object)))
      } catch (error) {
        const { cause } = error as Error
        if (!(cause instanceof KubernetesError) || cause.reason !== 'AlreadyExists') throw error
        const known = await fetchRebalance(parts, metadata)
        if (known.spec.clusterRef.name === cluster) return progressOf(known)
        const message = `Rebalance ${name} is of cluster ${known.spec.clusterRef.name}; choose another name.`
        throw new TrueNowError('TN_REQUEST_INVALID', message, { details: { path: 'name' } })
      }
    },
    approveRebalance: (request: RebalanceRequest) => annotate(request, APPROVE_ANNOTATION),
    cancelRebalance: (request: RebalanceRequest) => annotate(request, STOP_ANNOTATION),
    watchRebalance: async function* (
      request: RebalanceRequest,
      { signal }: Readonly<{ signal: AbortSignal }>,
    ): AsyncGenerator<RebalanceProgress> {
      if (watchers >= REBALANCE_WATCHERS_MAX) {
        const message = `${REBALANCE_WATCHERS_MAX} watch Rebalances already (REBALANCE_WATCHERS_MAX); try again later.`
        throw new TrueNowError('TN_OVERLOADED', message)
      }
      watchers += 1
      try {
        let rebalance: Rebalance | undefined = await fetchRebalance(parts, keyOf(request))
        let told: Rebalance['status']
        for (let first = true; rebalance !== undefined && !signal.aborted; first = false) {
          if (first || !isDeepStrictEqual(told, rebalance.status)) yield progressOf(rebalance)
          told = rebalance.status
          await delay(LOOK_MS, undefined, { signal }).catch(() => {})
          rebalance = parts.rebalances.get(keyOf(request))
        }
      } finally {
        watchers -= 1
      }
    },
  }
}

const keyOf = ({ kubernetesNamespace, name }: RebalanceRequest): ObjectKey => ({
  namespace: kubernetesNamespace,
  name,
})

/** From the cache, or from the API server what the cache does not show yet. */
async function fetchRebalance({ rebalances, kubernetes }: Parts, key: ObjectKey): Promise<Rebalance> {
  const found = rebalances.get(key) ?? (await asked(kubernetes.get<Rebalance>(REBALANCES, key)))
  if (found !== undefined) return found
  const message = `There is no Rebalance ${key.name} in Kubernetes namespace ${key.namespace}; PlanRebalance makes one.`
  throw new TrueNowError('TN_REQUEST_INVALID', message, { details: { path: 'name' } })
}

/** What the API server refused, as errors of ours; the reason stays in `cause`. */
async function asked<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call
  } catch (cause) {
    if (!(cause instanceof KubernetesError)) throw cause
    const wrong = cause.status >= 400 && cause.status < 500 && cause.status !== 429
    throw new TrueNowError(wrong ? 'TN_REQUEST_INVALID' : 'TN_PEER_UNAVAILABLE', cause.message, { cause })
  }
}

function progressOf({ status = {} }: Rebalance): RebalanceProgress {
  const { progress } = status
  return create(RebalanceProgressSchema, {
    state: status.state ?? 'PendingProposal',
    message: status.message ?? 'The operator has not looked at it yet.',
    round: status.round ?? 0,
    moveCount: status.moveCount ?? 0,
    bytesToMove: BigInt(status.bytesToMove ?? 0),
    movesEnded: progress?.movesEnded ?? 0,
    bytesMoved: BigInt(progress?.bytesMoved ?? 0),
    bytesPerSecond: BigInt(progress?.bytesPerSecond ?? 0),
    etaSeconds: progress?.etaSeconds ?? 0,
    moves: (status.moves ?? []).map(
      ({ bytes, bytesCopied = 0, phase = '', message = '', from = NOBODY, to = NOBODY, ...move }) => ({
        // biome-ignore format: one line
        ...move,
        from,
        to,
        phase,
        message,
        bytes: BigInt(bytes),
        bytesCopied: BigInt(bytesCopied),
      }),
    ),
  })
}
