import { TrueNowError } from '@truenow/contracts/errors.ts'
import { type CopySlotRequest, ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ShardSlot } from './shard-slot.ts'
import type { PinnedSnapshot } from './snapshot-store.ts'

/**
 * A snapshot of a slot that another shard may copy: `write` brings it up to now, as far as the volume lets it, and the newest
 * stays until it is released. Undefined = the slot has applied nothing yet. Errors: TN_SHARD_UNAVAILABLE with the reason why
 * this replica gives none.
 */
export function pinForCopy(
  request: CopySlotRequest,
  slot: ShardSlot | undefined,
  write: (slot: ShardSlot) => void,
): PinnedSnapshot | undefined {
  const refusal = slot === undefined ? 'it is not on this shard' : whyNot(request, slot)
  if (slot === undefined || refusal !== '') {
    const { namespace = '', name = '' } = request.table ?? {}
    const message = `No copy of ${namespace}.${name}/${request.slot} from here: ${refusal}. Ask another replica, or again with the newest catalog.`
    throw new TrueNowError('TN_SHARD_UNAVAILABLE', message)
  }
  if (slot.replica.cursor.offset < 0) return undefined
  write(slot)
  const { offset } = slot.snapshots
  if (offset < 0 || offset < Number(request.atLeastOffset)) {
    const message = `No copy of slot ${request.slot} from here: its newest snapshot is at ${offset}, ${request.atLeastOffset} is asked; the volume may be full.`
    throw new TrueNowError('TN_SHARD_UNAVAILABLE', message)
  }
  return slot.snapshots.pin()
}

function whyNot(request: CopySlotRequest, slot: ShardSlot): string {
  const { assignment, key, snapshots, replica } = slot
  if (request.tableUid !== key.uid || request.catalogId !== snapshots.identity.catalogId)
    return 'it belongs to another table or catalog'
  if (Number(request.incarnation) !== assignment.incarnation)
    return `this replica's incarnation is ${assignment.incarnation}`
  if (Number(request.epoch) < assignment.epoch) return `its epoch is ${assignment.epoch}`
  if (assignment.state === ReplicaState.JOINING) return 'this replica is joining itself'
  if (slot.isStartingOver || slot.stalledReason.startsWith('LogRewritten')) return slot.stalledReason
  if (replica.cursor.offset < Number(request.atLeastOffset)) return `it stands at ${replica.cursor.offset}`
  return ''
}
