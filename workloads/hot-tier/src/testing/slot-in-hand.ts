import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { Registry } from 'prom-client'
import { createHotTierMetrics } from '../metrics.ts'
import { ShardSlot } from '../shard-slot.ts'
import { SnapshotStore } from '../snapshot-store.ts'

type Parts = ConstructorParameters<typeof ShardSlot>[0]
type Options = Pick<Parts, 'table' | 'replica' | 'clock'> &
  Partial<Pick<Parts, 'metrics'>> &
  Readonly<{ slot?: number; shard?: number }>

/** A slot that serves and that nobody leads: whoever holds it feeds its replica, and no snapshot is written. */
export function slotInHand({
  table,
  slot = 0,
  shard = 0,
  metrics = createHotTierMetrics(new Registry()),
  clock,
  replica,
}: Options): ShardSlot {
  const { namespace, name } = table.definition
  return new ShardSlot({
    key: { namespace, name, uid: 'u', slot },
    table,
    assignment: { epoch: 1, incarnation: 1, state: ReplicaState.SERVING, shards: [shard] },
    snapshots: new SnapshotStore('/nowhere', { catalogId: 'c', incarnation: 1, table: 't', uid: 'u', slot }),
    metrics,
    clock,
    replica,
  })
}
