import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { Stored } from '../kubernetes/kubernetes-port.ts'
import { childResource } from '../kubernetes/resources.ts'
import type { OperatorContext } from '../operator-context.ts'
import { ownedFields } from '../owned-fields.ts'
import { childrenOf } from '../resources/all-children.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import type { Step } from '../step.ts'

/**
 * Every object the cluster consists of, by server-side apply of a pure function of spec and image, in order. One that still
 * stands as this process applied it costs no request. One that was edited or deleted by hand is put back, with an Event.
 */
export function ensureChildren(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'ensure-children',
    condition: 'Synced',
    run: async (cluster, { image, paused }) => {
      if (paused === true || image === undefined) return { kind: 'done' }
      for (const desired of childrenOf(cluster, image)) await ensureChild(context, cluster, desired)
      return { kind: 'done' }
    },
  }
}

async function ensureChild(
  { kubernetes, applied, child, record, log }: OperatorContext,
  cluster: TrueNowCluster,
  wanted: KubernetesObject,
): Promise<void> {
  const { kind, metadata } = wanted
  const { namespace, name } = metadata
  const key = `${cluster.metadata.uid}/${kind}/${name}`
  const desired = JSON.stringify(wanted)
  const before = applied.get(key)
  const sameWish = before?.desired === desired
  const seen = child<Stored>(kind, { namespace, name })
  if (before !== undefined && sameWish && JSON.stringify(ownedFields(seen, wanted)) === before.owned) {
    if (!before.confirmed) applied.set(key, { ...before, confirmed: true })
    return
  }
  const answer = await kubernetes.apply(childResource(kind), wanted, { force: true })
  applied.set(key, { desired, owned: JSON.stringify(ownedFields(answer, wanted)), confirmed: false })
  if (!sameWish) return log.info({ kind, namespace, name, cluster: cluster.metadata.name }, 'child applied')
  if (before?.confirmed !== true) return
  const what = seen === undefined ? 'was deleted' : 'was changed'
  const note = `${kind} ${name} ${what} by somebody else and is put back; change the ${cluster.kind} instead.`
  await record(cluster, { type: 'Warning', reason: 'ChildPutBack', action: 'Apply', note })
}
