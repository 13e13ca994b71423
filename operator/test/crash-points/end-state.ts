import { createHash } from 'node:crypto'
import { isCatalogGone } from '../../../workloads/control-plane/src/catalog-store.ts'
import type { openCatalog } from '../../../workloads/control-plane/test/open-catalog.ts'
import type { Stored } from '../../src/kubernetes/kubernetes-port.ts'
import {
  CHILD_RESOURCES,
  CLUSTERS,
  PODS,
  REBALANCES,
  SECRETS,
  TABLES,
  VOLUME_CLAIMS,
} from '../../src/kubernetes/resources.ts'
import type { Json, RealApiServer } from './real-api-server.ts'

type Catalog = Awaited<ReturnType<typeof openCatalog>>
/** Lines that each say one thing, so that a difference is short to tell. */
export type EndState = readonly string[]

const TOLD_MAX = 6
const TOLD_CHARACTERS = 240
type Some = Stored & { status?: { updateRevision?: string }; data?: Json }
const KINDS = [CLUSTERS, TABLES, REBALANCES, PODS, VOLUME_CLAIMS, SECRETS, ...CHILD_RESOURCES]
/** What differs from life to life, or from world to world, and means nothing. */
const MEANINGLESS = new Set(['uid', 'resourceVersion', 'generation', 'observedGeneration', 'creationTimestamp', 'managedFields', 'lastTransitionTime', 'lastUpdateTime', 'lastProbeTime', 'lastScaleTime', 'startedAt', 'startTime', 'selfLink', 'podIP', 'podIPs', 'clusterIP', 'clusterIPs', 'currentRevision', 'updateRevision', 'collisionCount', 'controller-revision-hash', 'pod-template-hash', 'deployment.kubernetes.io/revision', 'template-generation', 'etaSeconds', 'proposedAt', 'startedAtUs', 'endedAt', 'bytesPerSecond', 'message', 'generateName', 'freshness']) // biome-ignore format: one line

/**
 * All that stands in a namespace and in the catalog of its cluster, without uids, versions and times. Of pods with a name of chance,
 * how many there are; of certificates, that they are there: what is in them is another with every life.
 */
export async function readEndState(
  { port }: RealApiServer,
  { parts }: Catalog,
  namespace: string,
): Promise<EndState> {
  const lists = await Promise.all(
    KINDS.map(async (resource) => {
      const { items } = await port.list<Stored>(resource, { namespace })
      return items.map((one) => ({ ...(one as Json), kind: resource.kind }))
    }),
  )
  const objects = lists.flat() as unknown as Some[]
  const newest = new Set(objects.map(({ kind, status }) => kind === 'StatefulSet' && status?.updateRevision))
  const lines = objects.map((one) => lineOf(one, newest, namespace))
  return [...lines, ...(await catalogLines(parts, namespace))].toSorted()
}

export const hashOf = (state: EndState): string =>
  createHash('sha256').update(state.join('\n')).digest('hex').slice(0, 12)

/** The first differences, each around the place where it begins. */
export function differences(found: EndState, expected: EndState): string {
  const missing = expected.filter((line) => !found.includes(line))
  const extra = found.filter((line) => !expected.includes(line))
  const subject = (line: string) => line.slice(0, line.indexOf('{'))
  const told = missing.map((line) => {
    const other = extra.find((one) => subject(one) === subject(line))
    if (other === undefined) return `- ${line.slice(0, TOLD_CHARACTERS)}`
    let same = 0
    while (line[same] === other[same]) same += 1
    const around = (one: string) => one.slice(Math.max(0, same - 60), same + 120)
    return `${subject(line)}\n  wanted …${around(line)}\n  found  …${around(other)}`
  })
  const alone = extra.filter((line) => !missing.some((one) => subject(one) === subject(line)))
  return [...told, ...alone.map((line) => `+ ${line.slice(0, TOLD_CHARACTERS)}`)]
    .slice(0, TOLD_MAX)
    .join('\n')
}

function lineOf(object: Some, newest: ReadonlySet<unknown>, namespace: string): string {
  const { kind, metadata } = object
  const owner = (metadata as unknown as { ownerReferences?: { kind: string; name: string }[] })
    .ownerReferences?.[0]
  let { name } = metadata
  if (owner?.kind === 'ReplicaSet') {
    name = name.replace(/-[a-z0-9]+-[a-z0-9]+$/, '-*')
    owner.name = '*'
  }
  const pruned = prune(object) as Json
  const revision = metadata.labels?.['controller-revision-hash']
  if (kind === 'Pod') pruned.spec = { outdated: revision !== undefined && !newest.has(revision) }
  if (kind === 'Secret') pruned.data = Object.keys((object.data ?? {}) as Json).toSorted()
  Object.assign(pruned.metadata as Json, { name })
  return `${kind} ${name} ${anonymous(JSON.stringify(pruned), namespace)}`
}

/** The namespace, also as it is the name of the tenant. */
const anonymous = (text: string, namespace: string): string =>
  text.replaceAll(namespace, 'NAMESPACE').replaceAll(namespace.replaceAll('-', '_'), 'NAMESPACE')

/** Keys in one order; a list of conditions by their type. */
function prune(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(prune)
    const typed = items.every((one) => typeof (one as { type?: unknown } | null)?.type === 'string')
    return typed ? items.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))) : items
  }
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !MEANINGLESS.has(key))
  return Object.fromEntries(
    kept.toSorted(([a], [b]) => a.localeCompare(b)).map(([key, one]) => [key, prune(one)]),
  )
}

async function catalogLines({ store }: Catalog['parts'], namespace: string): Promise<string[]> {
  const ask = async (what: string, sql: string) =>
    (await store.query<Json>(sql)).map(
      (row) => `catalog ${what} ${anonymous(JSON.stringify(row), namespace)}`,
    )
  try {
    const lines = await Promise.all([
      ask(
        'cluster',
        'SELECT cluster_uid IS NOT NULL AS held, shards, replication_factor FROM $schema.catalog',
      ),
      ask(
        'table',
        `SELECT name, topic, state, adopted, max(version) AS version, max(definition) AS definition
        FROM $schema.table_entry JOIN $schema.table_version USING (table_id) GROUP BY table_id`,
      ),
      ask(
        'replica',
        `SELECT name, slot, shard, replica.state FROM $schema.replica AS replica JOIN $schema.table_entry USING (table_id)`,
      ),
      ask('shard', 'SELECT shard FROM $schema.shard'),
      ask(
        'open move',
        `SELECT from_shard, to_shard, phase FROM $schema.move WHERE phase NOT IN ('Done', 'Cancelled', 'Failed')`,
      ),
    ])
    return lines.flat()
  } catch (error) {
    if (!isCatalogGone(error)) throw error
    return ['catalog is gone']
  }
}
