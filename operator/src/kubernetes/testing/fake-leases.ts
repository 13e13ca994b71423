import { KubernetesError, type KubernetesPort } from '../kubernetes-port.ts'
import type { Lease } from '../lease-record.ts'

const never = () => Promise.reject(new Error('only a Lease is expected here'))

/** One Lease as the API server keeps it: a resourceVersion that is not the newest is refused with Conflict. */
export function createFakeLeases() {
  let held: Lease | undefined
  let version = 0
  let uids = 0
  const refuse = (status: number, reason: string) => {
    throw new KubernetesError(reason, { status, reason })
  }
  const store = (lease: Lease, uid: string): Lease => {
    version += 1
    held = structuredClone({
      ...lease,
      metadata: {
        ...lease.metadata,
        uid,
        resourceVersion: `${version}`,
        creationTimestamp: lease.metadata.creationTimestamp ?? '2026-01-01T00:00:00Z',
      },
    })
    return held
  }
  const read = () => held && structuredClone(held)
  const create = (lease: Lease) => {
    if (held !== undefined) refuse(409, 'AlreadyExists')
    uids += 1
    return store(lease, `uid-${uids}`)
  }
  const replace = (lease: Lease) => {
    if (held === undefined) refuse(404, 'NotFound')
    if (lease.metadata.resourceVersion !== held?.metadata.resourceVersion) refuse(409, 'Conflict')
    return store(lease, held?.metadata.uid ?? '')
  }
  /** `on` decides when a request reaches the server and when its answer comes back, or that either is lost. */
  const port = (on: <Answer>(act: () => Answer) => Promise<Answer>): KubernetesPort =>
    ({
      get: () => on(read),
      create: (_: unknown, lease: Lease) => on(() => create(lease)),
      replace: (_: unknown, lease: Lease) => on(() => replace(lease)),
      list: never,
      apply: never,
      mergePatch: never,
      remove: never,
      watch: never,
      close: async () => {},
    }) as unknown as KubernetesPort
  return {
    port,
    read,
    replace,
    remove: () => {
      held = undefined
    },
  }
}
