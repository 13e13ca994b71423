import type { KubernetesPort, Resource, Stored } from './kubernetes-port.ts'
import { tooMany } from './object-store.ts'

const PAGE_OBJECTS_MAX = 500
/** What one list holds in memory where its asker names no bound of its own. */
const OBJECTS_MAX = 100_000

/**
 * Every object, page by page, as of one moment: no version is asked for, so the API server answers from a quorum and never
 * from its cache. Errors: KubernetesError; 410 when the pages took so long that their moment is forgotten, and
 * TooManyObjects above `objectsMax`.
 */
export async function listAll<Kind extends Stored>(
  port: KubernetesPort,
  resource: Resource,
  of: Readonly<{ namespace?: string; labelSelector?: string; signal?: AbortSignal }>,
  objectsMax: number = OBJECTS_MAX,
): Promise<Readonly<{ objects: readonly Kind[]; resourceVersion: string }>> {
  const objects: Kind[] = []
  let resourceVersion: string | undefined
  let continueToken = ''
  do {
    const page = await port.list<Kind>(resource, {
      ...of,
      limit: PAGE_OBJECTS_MAX,
      ...(continueToken === '' ? {} : { continueToken }),
    })
    objects.push(...page.items)
    if (objects.length > objectsMax) throw tooMany(resource.kind, objectsMax)
    resourceVersion ??= page.resourceVersion // Should a later page be newer, the watch repeats what lies between.
    continueToken = page.continueToken
  } while (continueToken !== '')
  return { objects, resourceVersion }
}
