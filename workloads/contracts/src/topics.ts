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

/** PostgreSQL schema of one cluster. `-` cannot stand unquoted in SQL, and names may hold `_`: doubled to stay unique. */
export function postgresSchemaName(identity: ClusterIdentity): string {
  const plain = (name: string) => name.replaceAll('_', '__').replaceAll('-', '_')
  return `truenow_${plain(identity.kubernetesNamespace)}_0_${plain(identity.cluster)}`
}
