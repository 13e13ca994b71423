import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DeletionPolicy } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { FINALIZER } from './api/names.ts'
import type { Table } from './api/v1alpha1/table.ts'
import { heldByAnother } from './held-by-another.ts'
import { TABLES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { overdue, UNREACHABLE_MS_MAX } from './overdue.ts'
import { releaseFinalizer } from './release-finalizer.ts'
import { tableIdentity } from './table-identity.ts'
import { whatStaysOfTable } from './what-stays.ts'

/**
 * Ends a Table whose deletionPolicy is Delete: its topic first, then the object. It is let go without that when the policy
 * became Retain meanwhile, when the cluster is going too, or when it could not be done within UNREACHABLE_MS_MAX: an Event
 * then lists what stays. What is in another operator's cluster is left alone.
 */
export async function endTable(
  context: OperatorContext,
  table: Table,
): Promise<{ afterMs: number } | undefined> {
  const { metadata, spec } = table
  if (!(metadata.finalizers ?? []).includes(FINALIZER)) return undefined
  const cluster = context.clusters.get({ namespace: metadata.namespace, name: spec.clusterRef.name })
  if (cluster !== undefined && heldByAnother(cluster, context.identity)) return { afterMs: 60_000 }
  // Once it is gone, retireDeparted frees the name and says what stays.
  if (spec.deletionPolicy !== 'Delete') return releaseFinalizer(context.kubernetes, TABLES, table)
  const going = cluster === undefined || cluster.metadata.deletionTimestamp !== undefined
  if (going) return letGo(context, table, 'its cluster is going or gone')
  let kept: readonly string[]
  try {
    const request = { table: tableIdentity(table), uid: metadata.uid, policy: DeletionPolicy.DELETE }
    const controlPlane = context.operands.controlPlane(cluster.metadata)
    const answer = await context.leaderEpochs.under(cluster.metadata, (leaderEpoch) =>
      controlPlane.deleteTable({ ...request, leaderEpoch }),
    )
    kept = answer.kept
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    if (!overdue(metadata, context.clock)) return { afterMs: 2_000 }
    const seconds = UNREACHABLE_MS_MAX / 1_000
    return letGo(context, table, `it could not be done within ${seconds} s (${error.message})`)
  }
  if (kept.length > 0) return letGo(context, table, 'it is not this object’s to delete', kept)
  const note = 'Topic and catalog entry are deleted (deletionPolicy Delete).'
  await context.record(table, { type: 'Normal', reason: 'DataDeleted', action: 'Delete', note })
  await releaseFinalizer(context.kubernetes, TABLES, table)
  return undefined
}

async function letGo(
  context: OperatorContext,
  table: Table,
  why: string,
  stays: readonly string[] = whatStaysOfTable(table),
): Promise<undefined> {
  const note = `Not deleted, because ${why}: ${stays.join('; ')}.`
  await context.record(table, { type: 'Warning', reason: 'DataRetained', action: 'GiveUp', note })
  await releaseFinalizer(context.kubernetes, TABLES, table)
  return undefined
}
