import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type RegisterShardRequest,
  type RegisterShardResponse,
  RegisterShardResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Change } from './catalog-store.ts'
import { goOnAbove } from './go-on-above.ts'
import type { Parts } from './parts.ts'
import { SHARDS_MAX } from './put-cluster.ts'

type ShardRow = { incarnation: number; address: string; process_id: string }

/**
 * Catalog.RegisterShard. A volume is known by (catalog id, incarnation); any other is empty, foreign or retired, and its
 * shard gets a new incarnation while in the same transaction its replicas become `joining` under a new epoch: an empty shard
 * can never answer as if it held data.
 */
export async function registerShard(
  parts: Parts,
  request: RegisterShardRequest,
): Promise<RegisterShardResponse> {
  const { store, follower, metrics, log } = parts
  const { shard, processId, address } = request
  if (shard >= SHARDS_MAX || address === '' || processId === '') {
    const message = `RegisterShard needs an ordinal below ${SHARDS_MAX} (SHARDS_MAX), an address and a process id; it had ${shard}, '${address}', '${processId}'.`
    throw new TrueNowError('TN_REQUEST_INVALID', message)
  }
  const answer = await store.change(`shard ${shard} process ${processId}`, async (change) => {
    const { query, catalog, touch, audit } = change
    const [known] = await query<ShardRow>(
      'SELECT incarnation, address, process_id FROM $schema.shard WHERE shard = $1',
      [shard],
    )
    const ours = request.volumeCatalogId === catalog.catalog_id
    const sameVolume = ours && known !== undefined && Number(request.volumeIncarnation) === known.incarnation
    // The same process again: the answer to its first call was lost, and its volume does not bear the incarnation yet.
    const recognised = known !== undefined && (sameVolume || known.process_id === processId)
    if (ours) await goOnAbove(change, { epoch: request.epochMax, incarnation: request.volumeIncarnation })
    const incarnation = recognised ? known.incarnation : change.nextIncarnation()
    await query(
      `INSERT INTO $schema.shard (shard, incarnation, address, process_id) VALUES ($1, $2, $3, $4)
       ON CONFLICT (shard) DO UPDATE SET incarnation = excluded.incarnation, address = excluded.address,
         process_id = excluded.process_id, registered_at = now()`,
      [shard, incarnation, address, processId],
    )
    const emptied = await rejoin(change, shard, incarnation)
    if (!recognised || emptied > 0 || known.address !== address) touch()
    const volume = recognised ? 'its own volume' : `a new volume, ${emptied} replicas joining`
    audit('register-shard', `shard ${shard}`, `incarnation ${incarnation}, ${volume}, at ${address}`)
    return {
      recognised,
      incarnation,
      emptied,
      catalogId: catalog.catalog_id,
      lost: known !== undefined && !recognised,
    }
  })
  if (answer.lost) metrics.lostVolumes.inc()
  log.info({ shard, address, processId, ...answer }, 'shard registered')
  await follower.refresh()
  return create(RegisterShardResponseSchema, {
    incarnation: BigInt(answer.incarnation),
    catalogId: answer.catalogId,
  })
}

/** Replicas that name another incarnation of this shard hold nothing on this volume. Answers how many there were. */
async function rejoin({ query, nextEpoch }: Change, shard: number, incarnation: number): Promise<number> {
  const changed = await query<{ table_id: number; slot: number }>(
    `UPDATE $schema.replica SET incarnation = $2, state = 'joining' WHERE shard = $1 AND incarnation <> $2
     RETURNING table_id, slot`,
    [shard, incarnation],
  )
  if (changed.length > 0) {
    await query(
      `UPDATE $schema.slot SET epoch = $1 FROM unnest($2::bigint[], $3::int[]) AS given (table_id, slot)
       WHERE slot.table_id = given.table_id AND slot.slot = given.slot`,
      [nextEpoch(), changed.map((row) => row.table_id), changed.map((row) => row.slot)],
    )
  }
  return changed.length
}
