import { hash } from 'node:crypto'

/** Kafka's own limit for a topic name. */
export const TOPIC_NAME_LENGTH_MAX = 249

export type ClusterIdentity = Readonly<{ kubernetesNamespace: string; cluster: string }>

/** `truenow.<kubernetes namespace>.<cluster>.<namespace>.<table>`: two clusters named alike may share one Kafka. */
export function topicName(identity: ClusterIdentity, namespace: string, table: string): string {
  return `truenow.${identity.kubernetesNamespace}.${identity.cluster}.${namespace}.${table}`
}

/** Consumer group under which durable cursors are published, so that ordinary lag tools work. */
export function cursorGroupName(identity: ClusterIdentity, namespace: string, table: string): string {
  return topicName(identity, namespace, table)
}

/** PostgreSQL cuts longer names silently, so that two clusters would share one schema. */
const SCHEMA_NAME_LENGTH_MAX = 63

/**
 * PostgreSQL schema of one cluster: `truenow_<kubernetes namespace>_<cluster>`, where `-` is written `__` and `.` is
 * `___`. Kubernetes names begin and end with a letter or digit, so the single `_` between them is unmistakable and
 * different clusters never meet. What is too long, or no Kubernetes name, gets its SHA-256 in place of its end.
 */
export function postgresSchemaName({ kubernetesNamespace, cluster }: ClusterIdentity): string {
  const plain = (name: string) => name.replaceAll('-', '__').replaceAll('.', '___')
  const schema = `truenow_${plain(kubernetesNamespace)}_${plain(cluster)}`
  const lawful = [kubernetesNamespace, cluster].every((name) => /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name))
  if (lawful && schema.length <= SCHEMA_NAME_LENGTH_MAX) return schema
  const digest = hash('sha256', `${kubernetesNamespace}/${cluster}`, 'hex').slice(0, 24)
  const readable = schema
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, '_')
    .slice(0, SCHEMA_NAME_LENGTH_MAX - 28)
  return `${readable}____${digest}`
}
