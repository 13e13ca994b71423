import { FINALIZER } from './api/names.ts'
import type { KubernetesPort, Resource, Stored } from './kubernetes/kubernetes-port.ts'

/** Takes our finalizer off and leaves those of others; the object's version is the precondition. */
export async function releaseFinalizer(
  kubernetes: KubernetesPort,
  resource: Resource,
  { metadata }: Stored,
): Promise<undefined> {
  const { name, namespace, uid, resourceVersion, finalizers = [] } = metadata
  if (!finalizers.includes(FINALIZER)) return undefined
  const left = finalizers.filter((one) => one !== FINALIZER)
  await kubernetes.mergePatch(
    resource,
    { namespace, name },
    { metadata: { uid, resourceVersion, finalizers: left } },
  )
  return undefined
}
