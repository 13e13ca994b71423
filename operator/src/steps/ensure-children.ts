import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { KubernetesError, type Stored } from '../kubernetes/kubernetes-port.ts'
import { childResource } from '../kubernetes/resources.ts'
import type { OperatorContext } from '../operator-context.ts'
import { ownedFields } from '../owned-fields.ts'
import { childrenOf } from '../resources/all-children.ts'
import { keepScale } from '../resources/keep-scale.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import { hasCertificates } from '../resources/role-pod.ts'
import type { Step } from '../step.ts'
import { releaseTemplates } from '../templates/release-templates.ts'
import { standingWorkload } from '../templates/standing-workload.ts'
import type { Workload } from '../workloads.ts'
import { removeSpare } from './remove-spare.ts'

/**
 * Every object the cluster consists of, by server-side apply of a pure function of spec and image, in order; pod templates as
 * `releaseTemplates` lets them through, numbers of pods as an autoscaler has them. One that still stands as this process
 * applied it costs no request. One that was edited or deleted by hand is put back, with an Event. One of that name that is
 * not ours is never taken over.
 */
export function ensureChildren(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  const { child } = context
  return {
    name: 'ensure-children',
    condition: 'Synced',
    run: async (cluster, { image, paused, mounting, keptStorage, shardPods }) => {
      if (paused === true || image === undefined) return { kind: 'done' }
      const { namespace } = cluster.metadata
      const stands = withStorage(mounting === true ? withCertificates(cluster) : cluster, keptStorage)
      const released = releaseTemplates(stands, image, childrenOf(stands, image, shardPods), (role) =>
        standingWorkload(context, cluster, role),
      )
      const { waiting, pendingRoles } = released
      const wanted = keepScale(
        released.children,
        (kind, name) => child<Workload>(kind, { namespace, name })?.spec.replicas,
      )
      const unseen: string[] = []
      for (const desired of wanted) {
        const { kind, metadata } = desired
        const stand = await ensureChild(context, cluster, desired)
        if (stand === 'unseen' && WORKLOADS.includes(kind)) unseen.push(`${kind} ${metadata.name}`)
        if (stand !== 'taken') continue
        return { kind: 'wait', seconds: 10, reason: 'NameTaken', message: takenMessage(desired) }
      }
      for (const kind of KINDS_TO_SPARE) await removeSpare(context, cluster, childResource(kind), wanted)
      const shardSet = wanted.find(({ kind }) => kind === 'StatefulSet')
      return {
        kind: 'done',
        facts: {
          unseen,
          pendingRoles,
          ...(shardSet && { shardSet }),
          ...(waiting === undefined ? {} : { waiting }),
        },
      }
    },
  }
}

/** A cluster that turned certificates off keeps them in its pods until every pod can do without. */
function withCertificates(cluster: TrueNowCluster): TrueNowCluster {
  const { spec } = cluster
  return hasCertificates(cluster) ? cluster : { ...cluster, spec: { ...spec, tls: { mode: 'Prefer' } } }
}

/** With the volumes that stand: a StatefulSet with others would be refused as a whole. */
function withStorage(cluster: TrueNowCluster, size: string | undefined): TrueNowCluster {
  const { hotTier } = cluster.spec
  if (size === undefined) return cluster
  return {
    ...cluster,
    spec: { ...cluster.spec, hotTier: { ...hotTier, storage: { ...hotTier.storage, size } } },
  }
}

/** What to do about a name that another's object has. */
export const takenMessage = ({ kind, metadata }: KubernetesObject): string =>
  `${kind} ${metadata.name} is there and is not this cluster's; delete it, or give the cluster another name.`

const WORKLOADS = ['Deployment', 'StatefulSet']
/** What another spec may do without. */
const KINDS_TO_SPARE = ['PodDisruptionBudget', 'HorizontalPodAutoscaler']

/** Applies one child where it does not stand; `unseen`: our cache does not show it yet; `taken`: it is another's. */
export async function ensureChild(
  context: OperatorContext,
  cluster: TrueNowCluster,
  wanted: KubernetesObject,
): Promise<'seen' | 'unseen' | 'taken'> {
  const { applied, child, record, log } = context
  const { kind, metadata } = wanted
  const { namespace, name } = metadata
  const key = `${cluster.metadata.uid}/${kind}/${name}`
  const desired = JSON.stringify(wanted)
  const before = applied.get(key)
  const sameWish = before?.desired === desired
  const seen = child<Stored>(kind, { namespace, name })
  if (before !== undefined && sameWish && standing(seen, wanted) === before.standing) {
    const confirmed = before.confirmed || shows(seen, before)
    if (confirmed && !before.confirmed) applied.set(key, { ...before, confirmed })
    return confirmed ? 'seen' : 'unseen'
  }
  // What our cache never showed may be somebody's own: then the API server refuses to take its fields over.
  const answer = await applyChild(context, wanted, seen !== undefined || before !== undefined)
  if (answer === undefined) return 'taken'
  const { uid, generation } = answer.metadata
  const stands = standing(answer, wanted)
  const confirmed = standing(seen, wanted) === stands && shows(seen, { uid, generation })
  applied.set(key, { desired, standing: stands, uid, generation, confirmed })
  // Where the API server changed nothing, somebody merely added what is theirs.
  const putBack =
    before?.confirmed === true && seen?.metadata.resourceVersion !== answer.metadata.resourceVersion
  if (!sameWish) log.info({ kind, namespace, name, cluster: cluster.metadata.name }, 'child applied')
  else if (putBack) {
    const what = seen === undefined ? 'was deleted' : 'was changed'
    const note = `${kind} ${name} ${what} by somebody else and is put back; change the ${cluster.kind} instead.`
    await record(cluster, { type: 'Warning', reason: 'ChildPutBack', action: 'Apply', note })
  }
  return confirmed ? 'seen' : 'unseen'
}

/** All of a child but what others keep beside it: in a selector or a policy, one key more is an edit as well. */
function standing(object: Stored | undefined, wanted: KubernetesObject): string {
  if (object === undefined) return 'gone'
  const { status: _, ...rest } = object as Stored & Readonly<{ status?: unknown }>
  return JSON.stringify(ownedFields(object, { ...rest, metadata: wanted.metadata }))
}

/** Does the cache know what was applied, or something later: an old cache may look just like it (spec → spec' → spec). */
const shows = (
  seen: Stored | undefined,
  { uid, generation }: Readonly<{ uid: string; generation: number | undefined }>,
): boolean =>
  seen?.metadata.uid === uid && (generation === undefined || seen.metadata.generation >= generation)

/** Undefined: an object of this name has another owner's values in our fields. */
async function applyChild(
  { kubernetes }: OperatorContext,
  wanted: KubernetesObject,
  force: boolean,
): Promise<Stored | undefined> {
  const apply = () => kubernetes.apply<Stored>(childResource(wanted.kind), wanted, { force })
  try {
    return await apply()
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error
    if (!force && error.reason === 'Conflict') return undefined
    if (!force || error.reason !== 'Invalid' || !(await replaceLists(kubernetes, wanted))) throw error
    return apply()
  }
}

/**
 * Server-side apply knows the items of some lists by a key of theirs, such as a port by its number: one whose key somebody
 * edited is theirs from then on, comes to stand beside ours, and the API server may refuse the two together (Invalid: two
 * ports of one name). A merge patch knows no keys and puts our lists in place of what is there. False: it is refused as well.
 */
async function replaceLists(
  kubernetes: OperatorContext['kubernetes'],
  { kind, metadata, spec }: KubernetesObject,
): Promise<boolean> {
  // Volume claims can never change, and the API server tells its own defaults in them for a change.
  const { volumeClaimTemplates: _, ...lists } = (spec ?? {}) as Readonly<Record<string, unknown>>
  try {
    await kubernetes.mergePatch(childResource(kind), metadata, { spec: lists })
    return true
  } catch (error) {
    if (error instanceof KubernetesError && error.reason === 'Invalid') return false
    throw error
  }
}
