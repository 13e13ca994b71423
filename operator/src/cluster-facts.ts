import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { TrueNowClusterStatus } from './api/v1alpha1/truenow-cluster.ts'
import type { Judgement } from './conditions/judgement.ts'
import type { KubernetesObject } from './resources/kubernetes-object.ts'
import type { PodRole } from './resources/services.ts'
import type { RestartChoice } from './restarts/choose-restart.ts'

/** What a pass over a cluster found out, step by step. */
export type ClusterFacts = Readonly<{
  /** Image that the roles are told to run. */
  image?: string
  /** Placement, as the control plane told it in this pass; absent means unknown, never empty. */
  placement?: GetPlacementResponse
  /** Pods of shards that there shall be for now; more than the spec asks for while some are being emptied. */
  shardPods?: number
  /** The set of shards as this pass applied it: with the template and the volumes that were let through. */
  shardSet?: KubernetesObject
  /** Shards that shall go and what each waits for; absent: none does. */
  downscale?: NonNullable<TrueNowClusterStatus['inProgressOperations']>['downscale']
  /** The condition ScalingDown, where there is anything to say. */
  scalingDown?: Judgement
  /** Shards that are drained and what each waits for; absent: none is. */
  drain?: NonNullable<TrueNowClusterStatus['inProgressOperations']>['drain']
  /** The condition Draining, where there is anything to say. */
  draining?: Judgement
  /** The condition Rebalancing, where the placement is known. */
  rebalancing?: Judgement
  /** µs that the slowest table is behind; absent means unknown. */
  freshnessUs?: number
  /** Not ours, or not yet seen to be: nothing at all is written. */
  foreign?: true
  paused?: true
  /** Workloads that were applied and that our cache does not show yet: what it says of them is of before. */
  unseen?: readonly string[]
  /** Roles whose new image waits for another's, in order, and for whose. */
  waiting?: Readonly<{ roles: readonly PodRole[]; behind: PodRole }>
  /** Roles whose pods this operator would make otherwise than they are, though nobody asked for it. */
  pendingRoles?: readonly PodRole[]
  /** Which shard restarts next, or why none does. Absent: not looked at in this pass. */
  restart?: RestartChoice
  /** The condition Monitored as this pass found it; `none`: nothing is asked for and nothing left. Absent: not looked at. */
  monitored?: Judgement | 'none'
  /** The condition Secured as this pass found it; `none`: the cluster goes without certificates. Absent: not looked at. */
  secured?: Judgement | 'none'
  /** The condition VolumesGrown as this pass found it; `none`: no volume was ever to grow. Absent: not looked at. */
  volumes?: Judgement | 'none'
  /** Size with which the set of the shards stands, where its volumes may not have the one of the spec. */
  keptStorage?: string
  /** Pods get certificates; also while a cluster is still led away from them. */
  mounting?: boolean
  /** The object's version after a write of this very pass. */
  objectVersion?: string
}>
