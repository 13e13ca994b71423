import { FINALIZER } from '../api/names.ts'
import type { KubernetesPort, Resource, Stored } from '../kubernetes/kubernetes-port.ts'
import type { Step } from '../step.ts'

type Deletable = Stored & Readonly<{ spec: Readonly<{ deletionPolicy?: string }> }>

/**
 * The finalizer stands exactly where deletionPolicy is Delete: there, data outside Kubernetes must go before the object
 * does. Under Retain nothing may hold an object back, so that a namespace ends also while no operator runs.
 */
export function keepFinalizer<Facts extends Readonly<{ objectVersion?: string }>>(
  kubernetes: KubernetesPort,
  resource: Resource,
): Step<Deletable, Facts> {
  return {
    name: 'keep-finalizer',
    condition: 'Synced',
    run: async ({ metadata, spec }) => {
      const wanted = spec.deletionPolicy === 'Delete'
      const held = metadata.finalizers ?? []
      if (held.includes(FINALIZER) === wanted) return { kind: 'done' }
      const finalizers = wanted ? [...held, FINALIZER] : held.filter((one) => one !== FINALIZER)
      const { name, namespace, uid, resourceVersion } = metadata
      const patch = { metadata: { uid, resourceVersion, finalizers } }
      const { metadata: written } = await kubernetes.mergePatch(resource, { namespace, name }, patch)
      const objectVersion = written.resourceVersion
      return objectVersion === undefined
        ? { kind: 'done' }
        : { kind: 'done', facts: { objectVersion } as Partial<Facts> }
    },
  }
}
