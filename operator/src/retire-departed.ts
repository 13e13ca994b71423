import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DeletionPolicy } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Table } from './api/v1alpha1/table.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { OperatorContext } from './operator-context.ts'
import { tableIdentity } from './table-identity.ts'
import { tablesOfCluster } from './tables-of-cluster.ts'
import { whatStaysOfCluster, whatStaysOfTable } from './what-stays.ts'

/**
 * For so long the control plane is asked to let go of a departed object: its pods are on their way out as well, and those of
 * an object of the same name take a while to come. After that a cluster's claim has expired by itself.
 */
const ASK_MS_MAX = 60_000
const ASK_TIMEOUT_MS = 3_000

/** An object that is gone without a finalizer of ours, and when that was seen (monotonic ms). */
export type Departed = Readonly<{ object: Table | TrueNowCluster; seenMs: number }> & {
  /** The Event is out: people are told at once, whatever the control plane does. */
  told?: boolean
}

/**
 * After a Table or TrueNowCluster under Retain has gone: the control plane frees its name for adoption, and an Event lists
 * what stays. Where the control plane is gone too, its own rules free the name later (a claim that is not renewed expires).
 */
export async function retireDeparted(
  context: OperatorContext,
  departed: Departed,
): Promise<{ afterMs: number } | undefined> {
  const { object, seenMs } = departed
  if (object.kind === 'TrueNowCluster') forgetChildren(context, object)
  if (object.spec.deletionPolicy === 'Delete' || isForeign(context, object)) return forget(context, object)
  if (departed.told !== true) {
    departed.told = true
    await tellPeople(context, object)
  }
  try {
    await tellControlPlane(context, object)
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    if (context.clock.monotonicMs() - seenMs < ASK_MS_MAX) return { afterMs: 1_000 }
  }
  return forget(context, object)
}

async function tellPeople(context: OperatorContext, object: Table | TrueNowCluster): Promise<void> {
  const stays =
    object.kind === 'Table'
      ? whatStaysOfTable(object)
      : whatStaysOfCluster(
          object.metadata,
          tablesOfCluster(context.tables, object.metadata),
          object.spec.hotTier.shards,
        )
  const note = `Stays, by deletionPolicy Retain: ${stays.join('; ')}.`
  await context.record(object, { type: 'Normal', reason: 'DataRetained', action: 'Retain', note })
}

function isForeign({ clusters, identity }: OperatorContext, object: Table | TrueNowCluster): boolean {
  if (object.kind === 'TrueNowCluster') return object.status?.operator !== identity
  const { namespace } = object.metadata
  const holder = clusters.get({ namespace, name: object.spec.clusterRef.name })?.status?.operator
  return holder !== undefined && holder !== identity
}

async function tellControlPlane(context: OperatorContext, object: Table | TrueNowCluster): Promise<void> {
  const { clusters, operands, leaderEpochs } = context
  const { uid, namespace } = object.metadata
  const policy = DeletionPolicy.RETAIN
  const options = { timeoutMs: ASK_TIMEOUT_MS }
  if (object.kind === 'TrueNowCluster') {
    const controlPlane = operands.controlPlane(object.metadata)
    await leaderEpochs.under(
      object.metadata,
      (leaderEpoch) => controlPlane.deleteCluster({ uid, policy, leaderEpoch }, options),
      options,
    )
    return
  }
  const cluster = clusters.get({ namespace, name: object.spec.clusterRef.name })
  // Going clusters retain their tables themselves.
  if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) return
  const controlPlane = operands.controlPlane(cluster.metadata)
  await leaderEpochs.under(
    cluster.metadata,
    (leaderEpoch) =>
      controlPlane.deleteTable({ table: tableIdentity(object), uid, policy, leaderEpoch }, options),
    options,
  )
}

function forgetChildren(
  { applied, restarts, certificates, lowered }: OperatorContext,
  { metadata }: TrueNowCluster,
): void {
  restarts.delete(metadata.uid)
  lowered.delete(metadata.uid)
  certificates.delete(metadata.uid)
  for (const key of applied.keys()) if (key.startsWith(`${metadata.uid}/`)) applied.delete(key)
}

function forget(
  { operands, clusters }: OperatorContext,
  { kind, metadata }: Table | TrueNowCluster,
): undefined {
  // Another object of this name may be there by now, and its connection is the same.
  if (kind === 'TrueNowCluster' && clusters.get(metadata) === undefined) operands.forget(metadata)
}
