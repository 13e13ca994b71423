import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { autoscalersOf } from './autoscalers.ts'
import {
  controlPlaneDeployment,
  gatewayDeployment,
  ingesterDeployment,
  queryDeployment,
  watermarkDeployment,
} from './deployments.ts'
import { hotTierStatefulSet } from './hot-tier-stateful-set.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import { roleNetworkPolicy } from './network-policies.ts'
import { POD_ROLES, roleDisruptionBudget, roleService, roleServiceAccount } from './services.ts'

/** Every object that a cluster consists of, in the order in which they are applied: a pure function of the spec and the image. */
export function childrenOf(
  cluster: TrueNowCluster,
  image: string,
  /** Pods of shards: more than the spec asks for while some are being emptied. */
  shards: number = cluster.spec.hotTier.shards,
): KubernetesObject[] {
  const { spec } = cluster
  const replicas = {
    'control-plane': spec.controlPlane?.replicas ?? 1,
    gateway: spec.gateway?.replicas ?? 2,
    ingester: spec.ingester?.replicas ?? 2,
    'hot-tier': shards,
    query: spec.query?.replicas ?? 2,
    watermark: spec.watermark?.replicas ?? 1,
  }
  return [
    ...POD_ROLES.map((role) => roleServiceAccount(cluster, role)),
    ...POD_ROLES.map((role) => roleNetworkPolicy(cluster, role)),
    ...POD_ROLES.map((role) => roleService(cluster, role)),
    ...POD_ROLES.filter((role) => replicas[role] > 1).map((role) => roleDisruptionBudget(cluster, role)),
    controlPlaneDeployment(cluster, image),
    hotTierStatefulSet(cluster, image, shards),
    ingesterDeployment(cluster, image),
    gatewayDeployment(cluster, image),
    queryDeployment(cluster, image),
    watermarkDeployment(cluster, image),
    ...autoscalersOf(cluster),
  ]
}
