import { create } from '@bufbuild/protobuf'
import type { Query } from '@truenow/chassis/postgres-port.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type PutClusterRequest,
  type PutClusterResponse,
  PutClusterResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { NOBODY } from '@truenow/kernels/sharding/move-protocol.ts'
import { endMoves } from './cancel-moves.ts'
import type { Change } from './catalog-store.ts'
import { drainedText, openShards } from './drained-shards.ts'
import { requireLeaderIfAny } from './grant-leader.ts'
import { migrate } from './migrate.ts'
import { readOpenMoves } from './move-rows.ts'
import type { Parts } from './parts.ts'

export const SHARDS_MAX = 256
export const REPLICATION_FACTOR_MAX = 16
/**
 * A cluster object renews its claim with every PutCluster. When it has been silent for this long another object of the same
 * name may take the catalog: the former was deleted while its operator could not reach us, and nothing else would ever say so.
 */
export const CLUSTER_CLAIM_SECONDS = 60

/**
 * Catalog.PutCluster: declares shards, replication and the topics' settings. With `shrink`, shards from `shards` on are
 * leaving: they are given no replica any more, and go on answering for what they hold until moves have emptied them. Without
 * it none that holds replicas becomes so: whoever asks looks first whether the others have room. With `drained`, those are
 * treated likewise though they are declared, and stay.
 */
export async function putCluster(parts: Parts, request: PutClusterRequest): Promise<PutClusterResponse> {
  const { store, follower, clock } = parts
  const { uid, shards, replicationFactor } = request
  const problem = mistake(request)
  if (problem !== undefined)
    throw new TrueNowError('TN_REQUEST_INVALID', `PutCluster is refused: ${problem}.`)
  if (follower.state() === 'gone') await migrate(store.postgres, store.schema)

  const revision = await store.change(uid, async (change) => {
    const { query, catalog, touch, audit } = change
    await requireLeaderIfAny(change, request.leaderEpoch)
    await refuseForeign(change, uid)
    const generation = Number(request.generation)
    if (catalog.cluster_uid === uid && generation < catalog.cluster_generation) {
      const message = `Generation ${generation} of the cluster is older than ${catalog.cluster_generation}, which the catalog holds; read the object again.`
      throw new TrueNowError('TN_GENERATION_STALE', message, {
        details: { generation: catalog.cluster_generation },
      })
    }
    await query('UPDATE $schema.catalog SET cluster_claimed_at = now()')
    const wanted = {
      cluster_uid: uid,
      shards: request.shrink ? shards : Math.max(shards, Math.min(catalog.shards, await shardsInUse(query))),
      replication_factor: replicationFactor,
      topic_replication_factor: request.topics?.replicationFactor || 1,
      topic_min_insync_replicas: request.topics?.minInsyncReplicas || 1,
      drained_shards: request.drained === undefined ? catalog.drained_shards : drainedText(request.drained.shards), // biome-ignore format: one line
    }
    const differs = Object.entries(wanted).some(
      ([key, value]) => catalog[key as keyof typeof wanted] !== value,
    )
    const { replication_factor: before } = catalog
    Object.assign(catalog, wanted, { cluster_generation: generation })
    if (differs) {
      await undoOutdated(change, before, clock.nowUs())
      touch()
      audit('put-cluster', 'cluster', JSON.stringify(wanted))
    }
    return catalog.revision + (differs ? 1 : 0)
  })
  await follower.refresh()
  return create(PutClusterResponseSchema, { revision: BigInt(revision) })
}

function mistake({ shards, replicationFactor, topics, drained }: PutClusterRequest): string | undefined {
  if (shards < 1 || shards > SHARDS_MAX) return `shards is ${shards}, must be 1 to ${SHARDS_MAX}`
  if (replicationFactor < 1 || replicationFactor > REPLICATION_FACTOR_MAX) {
    return `replicationFactor is ${replicationFactor}, must be 1 to ${REPLICATION_FACTOR_MAX}`
  }
  if (replicationFactor > shards) {
    return `replicationFactor ${replicationFactor} needs as many shards, but there are ${shards}; raise shards or lower it`
  }
  const emptied = new Set(drained?.shards.filter((shard) => shard < shards)).size
  if (replicationFactor > shards - emptied) {
    return `replicationFactor ${replicationFactor} needs as many shards, but of ${shards} ${emptied} are drained; drain fewer, raise shards or lower it`
  }
  if (topics !== undefined && topics.minInsyncReplicas > Math.max(1, topics.replicationFactor)) {
    return `topics.minInsyncReplicas ${topics.minInsyncReplicas} is more than topics.replicationFactor ${topics.replicationFactor}: nothing could ever be written`
  }
  return undefined
}

async function refuseForeign({ query, catalog }: Change, uid: string): Promise<void> {
  if (catalog.cluster_uid === null || catalog.cluster_uid === uid) return
  const [claim] = await query<{ age: number }>(
    'SELECT extract(epoch FROM now() - cluster_claimed_at)::float8 AS age FROM $schema.catalog',
  )
  if ((claim?.age ?? 0) >= CLUSTER_CLAIM_SECONDS) return
  const message = `NameTaken: this catalog belongs to another cluster object (uid ${catalog.cluster_uid}), which renewed its claim ${Math.round(claim?.age ?? 0)} s ago; choose another name, or delete that one.`
  throw new TrueNowError('TN_TABLE_CONFLICT', message, {
    details: { reason: 'NameTaken', uid: catalog.cluster_uid },
  })
}

/** One more than the greatest ordinal that holds a replica of a live table. */
async function shardsInUse(query: Query): Promise<number> {
  const [live] = await query<{ shards: number }>(
    `SELECT coalesce(max(shard) + 1, 0)::int AS shards FROM $schema.replica JOIN $schema.table_entry AS entry USING (table_id)
     WHERE entry.state = 'live'`,
  )
  return live?.shards ?? 0
}

/**
 * What was planned for another declaration is undone, as far as it does not serve yet: copies on their way to shards that
 * shall go or are drained, and away from those that shall stay; replicas more or fewer than another replication factor wants.
 */
async function undoOutdated(change: Change, factorBefore: number, nowUs: number): Promise<void> {
  const { query, catalog } = change
  const refactored = catalog.replication_factor !== factorBefore
  const open = openShards(catalog)
  const outdated = (await readOpenMoves(query)).filter(
    ({ from, to, reason }) =>
      (to !== NOBODY && !open.includes(to)) ||
      (reason === 'RemoveShards' && open.includes(from)) ||
      (refactored && (from === NOBODY || to === NOBODY)),
  )
  const undone = await endMoves(change, outdated, nowUs, 'cancel')
  if (undone > 0) change.audit('cancel-moves', 'cluster', `${undone} moves of an earlier declaration`)
}
