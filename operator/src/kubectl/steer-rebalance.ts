import type { Rebalance } from '../api/v1alpha1/rebalance.ts'
import { KubernetesError, type KubernetesPort, type ObjectKey } from '../kubernetes/kubernetes-port.ts'
import { CLUSTERS, REBALANCES } from '../kubernetes/resources.ts'
import { annotationOf, type RebalanceVerb, whyNotNow } from '../rebalance-verb.ts'

export const REBALANCE_WORDS = ['plan', 'approve', 'stop', 'refresh'] as const
export type RebalanceWord = (typeof REBALANCE_WORDS)[number]
/** `done: false`: nothing was asked for, and `told` says why. */
export type Steered = Readonly<{ done: boolean; told: string }>

/**
 * `plan <cluster>` makes a Rebalance, which proposes and moves nothing; the other words ask one for the next step. What would
 * be refused is not asked for. Needs `get`, and `create` or `patch`, on rebalances. Errors: KubernetesError.
 */
export async function steerRebalance(
  port: KubernetesPort,
  word: RebalanceWord,
  { namespace, name }: ObjectKey,
  nowMs: number,
): Promise<Steered> {
  if (word === 'plan') return plan(port, { namespace, name }, nowMs)
  const rebalance = await port.get<Rebalance>(REBALANCES, { namespace, name })
  if (rebalance === undefined)
    return {
      done: false,
      told: `There is no Rebalance ${namespace}/${name}; \`kubectl truenow rebalance plan <cluster>\` makes one.`,
    }
  return ask(port, rebalance, word)
}

async function plan(port: KubernetesPort, cluster: ObjectKey, nowMs: number): Promise<Steered> {
  const { namespace } = cluster
  if ((await port.get(CLUSTERS, cluster)) === undefined)
    return { done: false, told: `There is no TrueNowCluster ${namespace}/${cluster.name}.` }
  // Each a name of its own, and the newest last in a list.
  const name = `${cluster.name}-${Math.floor(nowMs / 1_000).toString(36)}`
  const { apiVersion, kind } = REBALANCES
  const spec = { clusterRef: { name: cluster.name }, mode: 'Full' }
  try {
    await port.create(REBALANCES, { apiVersion, kind, metadata: { name, namespace }, spec })
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.reason !== 'AlreadyExists') throw error
  }
  const look = `kubectl -n ${namespace} get tnr ${name} -o yaml`
  const approve = `kubectl truenow -n ${namespace} rebalance approve ${name}`
  return { done: true, told: `Rebalance ${namespace}/${name} will propose; look: ${look}\n  → ${approve}` }
}

async function ask(port: KubernetesPort, rebalance: Rebalance, verb: RebalanceVerb): Promise<Steered> {
  const { namespace, name } = rebalance.metadata
  const about = `Rebalance ${namespace}/${name}`
  const state = rebalance.status?.state ?? 'PendingProposal'
  const why = whyNotNow(verb, state)
  if (why !== undefined) return { done: false, told: `${about}: ${why}` }
  await port.mergePatch(REBALANCES, { namespace, name }, { metadata: { annotations: { [annotationOf(verb)]: 'true' } } }) // biome-ignore format: one line
  const { moveCount = 0, bytesToMove = 0 } = rebalance.status ?? {}
  const what = verb === 'approve' ? ` of ${moveCount} moves, ${bytesToMove} bytes` : ''
  return {
    done: true,
    told: `${about}: ${verb}${what} was asked for; watch: kubectl -n ${namespace} get tnr ${name} -w`,
  }
}
