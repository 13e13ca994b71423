import { postgresSchemaName, topicName } from '@truenow/contracts/topics.ts'
import type { Table } from './api/v1alpha1/table.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import { tableIdentity } from './table-identity.ts'

/**
 * What a deleted object leaves behind under Retain, in words for an Event: told from the specs, because the control plane
 * that could tell is often gone first. Pure.
 */
export function whatStaysOfTable(table: Table): string[] {
  const identity = { kubernetesNamespace: table.metadata.namespace, cluster: table.spec.clusterRef.name }
  const { namespace, name } = tableIdentity(table)
  return [
    `topic ${topicName(identity, namespace, name)} (${table.spec.slots} partitions)`,
    `catalog entry ${namespace}.${name}`,
  ]
}

/** The same of a whole cluster, its tables' topics and its volumes included. */
export function whatStaysOfCluster(
  { namespace, name }: ObjectKey,
  tables: readonly Table[],
  shards: number,
): string[] {
  const volumes = Array.from({ length: shards }, (_, shard) => `data-${name}-hot-tier-${shard}`)
  return [
    ...tables.flatMap((table) => whatStaysOfTable(table).slice(0, 1)),
    `PostgreSQL schema ${postgresSchemaName({ kubernetesNamespace: namespace, cluster: name })}`,
    `volumes ${volumes.join(', ')}`,
  ]
}
