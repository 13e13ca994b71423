import { type Static, Type } from 'typebox'
import type { ObjectMeta } from '../object-meta.ts'

/** Moves shown in status; the rest is only counted, so that the object stays small. */
export const SHOWN_MOVES_MAX = 50

/** crds/rebalances.yaml is generated from this by `make generate`. */
export const RebalanceSpec = Type.Object(
  {
    clusterRef: Type.Object(
      {
        name: Type.String({
          minLength: 1,
          description: 'Name of a TrueNowCluster in the same Kubernetes namespace.',
        }),
      },
      { description: 'The cluster whose slots are looked at.' },
    ),
    mode: Type.String({
      enum: ['Full'],
      default: 'Full',
      description: 'Full: spread the replicas of every table evenly over all shards.',
    }),
  },
  {
    description:
      'What is to be proposed. This version proposes only: it shows which moves would even the shards.',
    'x-kubernetes-validations': [
      {
        rule: 'self.clusterRef.name == oldSelf.clusterRef.name',
        message: 'clusterRef cannot change: a proposal belongs to its cluster; create another Rebalance',
      },
    ],
  },
)
export type RebalanceSpec = Readonly<Static<typeof RebalanceSpec>>

const Move = Type.Object(
  {
    table: Type.String({ description: 'Table of the data plane, as namespace.name.' }),
    slot: Type.Integer({ description: 'Slot of that table whose replica would move.' }),
    from: Type.Integer({ description: 'Shard that would give the replica away.' }),
    to: Type.Integer({ description: 'Shard that would hold the replica afterwards.' }),
    bytes: Type.Integer({ description: 'Bytes that the replica holds now, in memory.' }),
  },
  { description: 'One replica that would change its shard.' },
)
const ShardLoad = Type.Object(
  {
    shard: Type.Integer({ description: 'Ordinal of the shard in its StatefulSet.' }),
    replicasBefore: Type.Integer({ description: 'Replicas that the shard holds now.' }),
    replicasAfter: Type.Integer({ description: 'Replicas that it would hold after all moves.' }),
    memoryBytes: Type.Integer({ description: 'Bytes that the shard last reported to hold in memory.' }),
  },
  { description: 'The load of one shard, before and after.' },
)

export const RebalanceStatus = Type.Object(
  {
    observedGeneration: Type.Integer({ description: 'Generation of the spec that this status speaks of.' }),
    state: Type.String({
      description: 'PendingProposal, ProposalReady, or NotReady when nothing could be proposed.',
    }),
    message: Type.String({ description: 'What stands behind the state and what can be done next.' }),
    moveCount: Type.Integer({ description: 'Moves of the whole proposal, those not shown included.' }),
    bytesToMove: Type.Integer({ description: 'Bytes that all moves together would copy between shards.' }),
    moves: Type.Array(Move, { description: `The first ${SHOWN_MOVES_MAX} moves, in the order to do them.` }),
    shards: Type.Array(ShardLoad, { description: 'Every shard with its load before and after the moves.' }),
  },
  { description: 'The proposal as the operator last computed it; written by it alone.' },
)
export type RebalanceStatus = Readonly<Partial<Static<typeof RebalanceStatus>>>
export type Rebalance = Readonly<{
  apiVersion: string
  kind: 'Rebalance'
  metadata: ObjectMeta
  spec: RebalanceSpec
  status?: RebalanceStatus
}>
