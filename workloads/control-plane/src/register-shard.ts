import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type RegisterShardRequest,
  type RegisterShardResponse,
  RegisterShardResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { loseVolume } from '@truenow/kernels/sharding/move-protocol.ts'
import type { Change } from './catalog-store.ts'
import { goOnAbove } from './go-on-above.ts'
import { readOpenMovesOf, writeMove } from './move-rows.ts'
import type { Parts } from './parts.ts'
import { readPlacedSlots, type SlotChange, slotKeyOf, writePlacedSlots } from './placed-slots.ts'
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
  const { store, follower, metrics, log, clock } = parts
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
    const emptied = await rejoin(change, shard, incarnation, clock.nowUs())
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
async function rejoin(change: Change, shard: number, incarnation: number, nowUs: number): Promise<number> {
  const { query, catalog } = change
  const rows = await query<{ table_id: number; slot: number }>(
    'SELECT table_id, slot FROM $schema.replica WHERE shard = $1 AND incarnation <> $2',
    [shard, incarnation],
  )
  if (rows.length === 0) return 0
  const keys = rows.map(({ table_id, slot }) => ({ tableId: table_id, slot }))
  const slots = await readPlacedSlots(query, keys)
  const moves = new Map((await readOpenMovesOf(query, keys)).map((move) => [slotKeyOf(move), move]))
  const epoch = change.nextEpoch()
  const lost = { shard, incarnation, revision: catalog.revision + 1 }
  const changes: SlotChange[] = []
  for (const key of keys) {
    const before = slots.get(slotKeyOf(key))
    const move = moves.get(slotKeyOf(key))
    if (before === undefined) continue
    const { slot: after, move: moved } = loseVolume(before, move, lost, () => epoch)
    changes.push({ ...key, before, after })
    if (move === undefined || moved === undefined || moved === move) continue
    const message = `shard ${shard} lost its volume`
    await writeMove(query, move, { ...move, ...moved, message }, nowUs)
  }
  await writePlacedSlots(query, changes)
  return changes.length
}
