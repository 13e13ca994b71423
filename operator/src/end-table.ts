import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DeletionPolicy } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { FINALIZER } from './api/names.ts'
import type { Table } from './api/v1alpha1/table.ts'
import { TABLES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { overdue, UNREACHABLE_MS_MAX } from './overdue.ts'
import { releaseFinalizer } from './release-finalizer.ts'
import { tableIdentity } from './table-identity.ts'
import { whatStaysOfTable } from './what-stays.ts'

/**
 * Ends a Table whose deletionPolicy is Delete: its topic first, then the object. It is let go without that when the cluster
 * is going too, or when nobody has answered for UNREACHABLE_MS_MAX: an Event then lists what stays.
 */
export async function endTable(
  context: OperatorContext,
  table: Table,
): Promise<{ afterMs: number } | undefined> {
  const { metadata, spec } = table
  if (!(metadata.finalizers ?? []).includes(FINALIZER)) return undefined
  const cluster = context.clusters.get({ namespace: metadata.namespace, name: spec.clusterRef.name })
  const going = cluster === undefined || cluster.metadata.deletionTimestamp !== undefined
  if (going) return letGo(context, table, 'its cluster is going or gone')
  try {
    await context.operands
      .controlPlane(cluster.metadata)
      .deleteTable({ table: tableIdentity(table), uid: metadata.uid, policy: DeletionPolicy.DELETE })
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    if (!overdue(metadata, context.clock)) return { afterMs: 2_000 }
    return letGo(context, table, `the control plane has not answered for ${UNREACHABLE_MS_MAX / 1_000} s`)
  }
  const note = 'Topic and catalog entry are deleted (deletionPolicy Delete).'
  await context.record(table, { type: 'Normal', reason: 'DataDeleted', action: 'Delete', note })
  await releaseFinalizer(context.kubernetes, TABLES, table)
  return undefined
}

async function letGo(context: OperatorContext, table: Table, why: string): Promise<undefined> {
  const note = `Not deleted, because ${why}: ${whatStaysOfTable(table).join('; ')}.`
  await context.record(table, { type: 'Warning', reason: 'DataRetained', action: 'GiveUp', note })
  await releaseFinalizer(context.kubernetes, TABLES, table)
  return undefined
}
