import type { Autoscaling, TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { childMetadata } from './child-metadata.ts'
import type { KubernetesObject } from './kubernetes-object.ts'

/** Of what a container requests; where no metric is named. */
export const CPU_PERCENT_DEFAULT = 70
/** Roles that hold nothing: their pods may come and go by load. */
const ELASTIC_ROLES = ['gateway', 'ingester', 'query'] as const

/** A HorizontalPodAutoscaler for each role that asks for one; `replicas` of the role is its floor. */
export function autoscalersOf(cluster: TrueNowCluster): KubernetesObject[] {
  return ELASTIC_ROLES.flatMap((role) => {
    const { autoscaling, replicas = 2 } = cluster.spec[role] ?? {}
    return autoscaling === undefined ? [] : [autoscaler(cluster, role, replicas, autoscaling)]
  })
}

function autoscaler(
  cluster: TrueNowCluster,
  role: string,
  minReplicas: number,
  { maxReplicas, cpuPercent, podMetric }: Autoscaling,
): KubernetesObject {
  const byCpu = cpuPercent ?? (podMetric === undefined ? CPU_PERCENT_DEFAULT : undefined)
  const cpu = { name: 'cpu', target: { type: 'Utilization', averageUtilization: byCpu } }
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: childMetadata(cluster, role),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: `${cluster.metadata.name}-${role}` },
      minReplicas,
      maxReplicas,
      metrics: [
        ...(byCpu === undefined ? [] : [{ type: 'Resource', resource: cpu }]),
        ...(podMetric === undefined
          ? []
          : [
              {
                type: 'Pods',
                pods: {
                  metric: { name: podMetric.name },
                  target: { type: 'AverageValue', averageValue: podMetric.averageValue },
                },
              },
            ]),
      ],
    },
  }
}
