import { type Static, Type } from 'typebox'
import { type Condition, ConditionSchema } from '../condition.ts'
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
      enum: ['Full', 'RemoveShards', 'Repair'],
      default: 'Full',
      description:
        'Full: spread the replicas of every table evenly over all shards. RemoveShards: empty the shards that shall go or are drained. Repair: as many replicas as there shall be. The last two the operator makes itself.',
    }),
  },
  {
    description:
      'What is to be proposed. Nothing moves before it is approved: annotate it with truenow.io/approve=true.',
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
    from: Type.Optional(
      Type.Integer({ description: 'Shard that would give the replica away; absent: it is one more.' }),
    ),
    to: Type.Optional(
      Type.Integer({ description: 'Shard that would hold the replica afterwards; absent: one fewer.' }),
    ),
    bytes: Type.Integer({ description: 'Bytes that the replica holds now, in memory.' }),
    phase: Type.Optional(
      Type.String({
        description:
          'Planned, Bootstrapping, CaughtUp, Serving, Draining, Done, Cancelled or Failed; absent in a proposal.',
      }),
    ),
    bytesCopied: Type.Optional(Type.Integer({ description: 'Bytes that the new copy holds already.' })),
    message: Type.Optional(Type.String({ description: 'What happened last, or what the move waits for.' })),
  },
  { description: 'One replica that would change its shard, or does.' },
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
const Progress = Type.Object(
  {
    movesEnded: Type.Integer({ description: 'Moves that are over, however they ended.' }),
    bytesMoved: Type.Integer({ description: 'Bytes that new copies hold already.' }),
    bytesPerSecond: Type.Integer({
      description: 'Bytes copied a second since the first move began, rounded.',
    }),
    etaSeconds: Type.Optional(
      Type.Integer({
        description: 'Seconds until all is moved at that rate, rounded; absent while unknown.',
      }),
    ),
  },
  { description: 'How far the approved moves are.' },
)

/** What a Rebalance may be in; the Ready condition carries it as its reason. */
export const REBALANCE_STATES = [
  'PendingProposal',
  'ProposalReady',
  'Rebalancing',
  'Ready',
  'Stopped',
  'NotReady',
] as const
export type RebalanceState = (typeof REBALANCE_STATES)[number]

export const RebalanceStatus = Type.Object(
  {
    observedGeneration: Type.Integer({ description: 'Generation of the spec that this status speaks of.' }),
    state: Type.String({
      description:
        'PendingProposal, ProposalReady, Rebalancing, Ready (all moved), Stopped, or NotReady when something is in the way.',
    }),
    message: Type.String({ description: 'What stands behind the state and what can be done next.' }),
    round: Type.Integer({ description: 'How many proposals of this object were approved; names the plan.' }),
    moveCount: Type.Integer({ description: 'Moves of the whole proposal, those not shown included.' }),
    bytesToMove: Type.Integer({ description: 'Bytes that all moves together would copy between shards.' }),
    progress: Progress,
    moves: Type.Array(Move, {
      description: `The first ${SHOWN_MOVES_MAX} moves: those that are open first, else in the order to do them.`,
    }),
    shards: Type.Array(ShardLoad, { description: 'Every shard with its load before and after the moves.' }),
    conditions: Type.Array(ConditionSchema, {
      description: 'Ready: True when every approved move has been made.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  },
  {
    description:
      'The proposal and its moves as the control plane told them last; a mirror, written by the operator.',
  },
)
export type RebalanceStatus = Readonly<
  Partial<Omit<Static<typeof RebalanceStatus>, 'conditions' | 'state'>>
> & {
  readonly state?: RebalanceState
  readonly conditions?: readonly Condition[]
}
export type Rebalance = Readonly<{
  apiVersion: string
  kind: 'Rebalance'
  metadata: ObjectMeta
  spec: RebalanceSpec
  status?: RebalanceStatus
}>
