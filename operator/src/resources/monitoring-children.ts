import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { dashboardConfigMaps } from './dashboard-config-maps.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import { prometheusRule } from './prometheus-rule.ts'
import { serviceMonitor } from './service-monitor.ts'

/** What `spec.monitoring` asks for, in the order in which it is applied: a pure function of the spec. */
export function monitoringChildrenOf(cluster: TrueNowCluster, runbooksUrl: string): KubernetesObject[] {
  const { monitoring } = cluster.spec
  return [
    ...(monitoring?.serviceMonitor === true ? [serviceMonitor(cluster)] : []),
    ...(monitoring?.prometheusRule === true ? [prometheusRule(cluster, runbooksUrl)] : []),
    ...(monitoring?.dashboards === true ? dashboardConfigMaps(cluster) : []),
  ]
}
