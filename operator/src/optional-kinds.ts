import type { Clock } from '@truenow/chassis/clock.ts'
import type { Resource, Stored } from './kubernetes/kubernetes-port.ts'
import type { Reflector } from './kubernetes/reflector.ts'

/**
 *   followed   the cache is whole
 *   listing    the first list is on its way, or refused
 *   absent     the API server does not serve the kind
 */
export type KindState = 'followed' | 'listing' | 'absent'
export type OptionalKinds = Readonly<{
  /** Follows the kind from now on, where it is served; at most one question a minute to the API server. Errors: KubernetesError. */
  follow: (resource: Resource) => Promise<KindState>
}>

/** An installed or deleted definition is noticed within this time. */
const SERVED_MS = 60_000

type Followed = Readonly<{ reflectors: ReadonlyArray<Reflector<Stored>>; synced: { value: boolean } }>

/**
 * Caches of kinds that nobody may ever ask for, or that may not be there: none is watched before it is asked for, none holds up
 * the start, and one that its server no longer knows is let go.
 */
export function createOptionalKinds(
  options: Readonly<{
    served: (apiVersion: string) => Promise<readonly string[]>
    start: (resource: Resource) => ReadonlyArray<Reflector<Stored>>
    /** Called when the first list of a kind is whole. */
    onListed: () => void
    clock: Clock
  }>,
) {
  const { served, start, onListed, clock } = options
  const followed = new Map<string, Followed>()
  const asked = new Map<string, Readonly<{ atMs: number; plurals: Promise<readonly string[]> }>>()

  const isServed = async ({ apiVersion, plural }: Resource): Promise<boolean> => {
    if (!apiVersion.includes('/')) return true // The core group is always there.
    let last = asked.get(apiVersion)
    if (last === undefined || clock.monotonicMs() - last.atMs >= SERVED_MS) {
      const plurals = served(apiVersion)
      plurals.catch(() => asked.delete(apiVersion))
      last = { atMs: clock.monotonicMs(), plurals }
      asked.set(apiVersion, last)
    }
    return (await last.plurals).includes(plural)
  }
  const begin = (resource: Resource): Followed => {
    const one = { reflectors: start(resource), synced: { value: false } }
    followed.set(resource.kind, one)
    Promise.all(one.reflectors.map((reflector) => reflector.hasSynced())).then(
      () => {
        one.synced.value = true
        onListed()
      },
      () => {}, // Closed before.
    )
    return one
  }
  const close = async ({ reflectors }: Followed) => {
    await Promise.all(reflectors.map((reflector) => reflector.close()))
  }
  return {
    follow: async (resource: Resource): Promise<KindState> => {
      if (await isServed(resource)) {
        const { synced } = followed.get(resource.kind) ?? begin(resource)
        return synced.value ? 'followed' : 'listing'
      }
      const gone = followed.get(resource.kind)
      followed.delete(resource.kind)
      if (gone !== undefined) await close(gone)
      return 'absent'
    },
    reflectors: (kind: string): ReadonlyArray<Reflector<Stored>> => followed.get(kind)?.reflectors ?? [],
    close: async (): Promise<void> => {
      await Promise.all([...followed.values()].map(close))
    },
  }
}
