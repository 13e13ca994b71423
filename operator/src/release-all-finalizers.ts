import { setTimeout as delay } from 'node:timers/promises'
import type { KubernetesPort, Resource, Stored } from './kubernetes/kubernetes-port.ts'
import { CLUSTERS, TABLES } from './kubernetes/resources.ts'
import { releaseFinalizer } from './release-finalizer.ts'

const DEPLOYMENTS: Resource = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' }
const LEASES: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' }
/** A leader that was asked to end releases its Lease within its grace period. */
const RELEASE_TRIES_MAX = 60
const RELEASE_PAUSE_MS = 500

/**
 * For `helm uninstall`: stops the operator, which would put them back, then takes our finalizers off every object it
 * watched, so that no namespace hangs on an operator that is not there. Data stays. Answers how many were held.
 * Errors: KubernetesError.
 */
export async function releaseAllFinalizers(
  kubernetes: KubernetesPort,
  operator: Readonly<{
    namespace: string
    deployment: string
    lease: string
    /** Empty = the whole Kubernetes cluster. */
    watchNamespaces: readonly string[]
  }>,
): Promise<number> {
  const { namespace, deployment, lease, watchNamespaces } = operator
  await kubernetes.mergePatch(DEPLOYMENTS, { namespace, name: deployment }, { spec: { replicas: 0 } })
  for (let tries = 0; tries < RELEASE_TRIES_MAX; tries++) {
    const held = await kubernetes.get<Stored & { spec?: { holderIdentity?: string } }>(LEASES, {
      namespace,
      name: lease,
    })
    if ((held?.spec?.holderIdentity ?? '') === '') break
    await delay(RELEASE_PAUSE_MS)
  }
  const places = watchNamespaces.length === 0 ? [{}] : watchNamespaces.map((one) => ({ namespace: one }))
  let released = 0
  for (const resource of [TABLES, CLUSTERS]) {
    for (const place of places) released += await releaseIn(kubernetes, resource, place)
  }
  return released
}

async function releaseIn(
  kubernetes: KubernetesPort,
  resource: Resource,
  place: Readonly<{ namespace?: string }>,
): Promise<number> {
  let released = 0
  let continueToken = ''
  do {
    const page = await kubernetes.list(resource, {
      ...place,
      limit: 500,
      ...(continueToken === '' ? {} : { continueToken }),
    })
    for (const object of page.items) {
      if ((object.metadata.finalizers ?? []).length === 0) continue
      await releaseFinalizer(kubernetes, resource, object)
      released += 1
    }
    continueToken = page.continueToken
  } while (continueToken !== '')
  return released
}
