import { stringify } from 'yaml'
import { CLUSTER_LABEL } from '../api/names.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import {
  KubernetesError,
  type KubernetesPort,
  type Resource,
  type Stored,
} from '../kubernetes/kubernetes-port.ts'
import { listAll } from '../kubernetes/list-all.ts'
import { CHILD_RESOURCES, CLUSTERS, EVENTS, PODS, REBALANCES, TABLES } from '../kubernetes/resources.ts'
import { redact } from './redact.ts'

/** Of each container, and of its former run where it was restarted. */
export const REPORT_LOG_LINES_MAX = 200
const REPORT_LOG_BYTES_MAX = 256 * 1_024
/** Pods whose logs are asked for; the others are listed. */
export const REPORT_PODS_MAX = 100
const OPERATOR_LABEL = 'app.kubernetes.io/component=operator'

type SeenPod = Stored &
  Readonly<{ status?: { containerStatuses?: ReadonlyArray<{ restartCount?: number }> } }>
type Read = { [key: string]: unknown; metadata: Record<string, unknown> }

/**
 * Everything that somebody who is to help needs to see of one namespace, or of one cluster in it, as one text: objects with
 * conditions, Events, the ends of the logs, the operator's included. Secrets are never read, and what looks like one is taken
 * out. What may not be read is named in its place. Errors: KubernetesError where the clusters themselves cannot be listed.
 */
export async function report(
  port: KubernetesPort,
  { namespace, cluster }: Readonly<{ namespace: string; cluster: string | undefined }>,
  now: string,
): Promise<string> {
  const { objects } = await listAll<TrueNowCluster>(port, CLUSTERS, { namespace })
  const clusters = objects.filter(({ metadata }) => cluster === undefined || metadata.name === cluster)
  const names = clusters.map(({ metadata }) => metadata.name)
  const belongs = (object: Stored) => {
    const { spec } = object as { spec?: { clusterRef?: { name: string } } }
    const owner = object.metadata.labels?.[CLUSTER_LABEL] ?? spec?.clusterRef?.name
    return cluster === undefined || (owner !== undefined && names.includes(owner))
  }
  const part = (resource: Resource, labelSelector?: string) =>
    objectsPart(
      port,
      resource,
      { namespace, ...(labelSelector === undefined ? {} : { labelSelector }) },
      belongs,
    )
  const pods = await podsOf(port, namespace, CLUSTER_LABEL, belongs)
  const operators = [...new Set(clusters.flatMap(({ status }) => status?.operator?.split('/')[0] ?? []))]
  const parts = [
    section('TrueNowCluster', clusters.map(plain).join('---\n')),
    await part(TABLES),
    await part(REBALANCES),
    ...(await Promise.all(CHILD_RESOURCES.map((resource) => part(resource, CLUSTER_LABEL)))),
    await part(PODS, CLUSTER_LABEL),
    await eventsPart(port, namespace),
    ...(await logsOf(port, pods)),
  ]
  for (const operator of operators)
    parts.push(...(await logsOf(port, await podsOf(port, operator, OPERATOR_LABEL, () => true))))
  const head = `# TrueNow report of ${namespace}${cluster === undefined ? '' : `/${cluster}`}, ${now}\n`
  return redact([head, ...parts].join('\n'))
}

const section = (title: string, body: string) =>
  `## ${title}\n\n${body.trim() === '' ? '(none)' : body.trim()}\n`
const refused = (error: unknown): string => {
  if (!(error instanceof KubernetesError)) throw error
  return `(not to be read: ${error.message})`
}

async function objectsPart(
  port: KubernetesPort,
  resource: Resource,
  at: Readonly<{ namespace: string; labelSelector?: string }>,
  belongs: (object: Stored) => boolean,
): Promise<string> {
  try {
    const { objects } = await listAll<Stored>(port, resource, at)
    return section(resource.kind, objects.filter(belongs).map(plain).join('---\n'))
  } catch (error) {
    return section(resource.kind, refused(error))
  }
}

/** Without what only machines read: it is most of an object, and repeats the spec with all that is in it. */
function plain(object: Stored): string {
  const copy = structuredClone(object) as unknown as Read
  delete copy.metadata.managedFields
  const annotations = copy.metadata.annotations as Record<string, string> | undefined
  if (annotations !== undefined) delete annotations['kubectl.kubernetes.io/last-applied-configuration']
  return stringify(copy, { lineWidth: 0 })
}

type EventSeen = Stored &
  Readonly<{
    type?: string
    reason?: string
    note?: string
    eventTime?: string
    regarding?: { kind?: string; name?: string }
    series?: { count?: number }
  }>

/** Of the whole namespace: what went wrong is often told of an object that does not know the cluster. */
async function eventsPart(port: KubernetesPort, namespace: string): Promise<string> {
  try {
    const { objects } = await listAll<EventSeen>(port, EVENTS, { namespace })
    const lines = objects
      .toSorted((left, right) => timeOf(left).localeCompare(timeOf(right)))
      .map((event) => {
        const { type = '', reason = '', note = '', regarding = {}, series } = event
        const times = series?.count === undefined ? '' : ` (${series.count} times)`
        return `${timeOf(event)} ${type} ${regarding.kind}/${regarding.name} ${reason}: ${note}${times}`
      })
    return section('Events', lines.join('\n'))
  } catch (error) {
    return section('Events', refused(error))
  }
}
const timeOf = ({ eventTime, metadata }: EventSeen) => eventTime ?? metadata.creationTimestamp ?? ''

async function podsOf(
  port: KubernetesPort,
  namespace: string,
  labelSelector: string,
  belongs: (object: Stored) => boolean,
): Promise<readonly SeenPod[]> {
  try {
    const { objects } = await listAll<SeenPod>(port, PODS, { namespace, labelSelector })
    return objects.filter(belongs)
  } catch (error) {
    refused(error) // The list of pods says so in its own place.
    return []
  }
}

async function logsOf(port: KubernetesPort, pods: readonly SeenPod[]): Promise<string[]> {
  const parts: string[] = []
  const limits = { lines: REPORT_LOG_LINES_MAX, bytesMax: REPORT_LOG_BYTES_MAX }
  for (const { metadata, status } of pods.slice(0, REPORT_PODS_MAX)) {
    const { namespace, name } = metadata
    const restarted = (status?.containerStatuses ?? []).some(({ restartCount = 0 }) => restartCount > 0)
    for (const previous of restarted ? [true, false] : [false]) {
      const title = `Log of pod ${namespace}/${name}${previous ? ' before its last restart' : ''}, the last ${limits.lines} lines`
      parts.push(
        section(title, await port.podLog({ namespace, name }, { ...limits, previous }).catch(refused)),
      )
    }
  }
  return parts
}
