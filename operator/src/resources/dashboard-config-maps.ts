import { createHash } from 'node:crypto'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { type BuildDashboard, grafanaDashboard } from '../monitoring/dashboard.ts'
import { dataPathDashboard } from '../monitoring/dashboards/data-path-dashboard.ts'
import { hotTierDashboard } from '../monitoring/dashboards/hot-tier-dashboard.ts'
import { overviewDashboard } from '../monitoring/dashboards/overview-dashboard.ts'
import { clusterSelection } from '../monitoring/selection.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import { monitoringMetadata } from './monitoring-metadata.ts'

/** By this label Grafana’s sidecar finds them; `spec.monitoring.labels` may give it another value. */
const DASHBOARD_LABEL = { grafana_dashboard: '1' }
const UID_LENGTH = 16

export const clusterDashboards: readonly BuildDashboard[] = [
  overviewDashboard,
  hotTierDashboard,
  dataPathDashboard,
]

/** One ConfigMap a dashboard, each about this one cluster. */
export function dashboardConfigMaps(cluster: TrueNowCluster): KubernetesObject[] {
  const { namespace, name } = cluster.metadata
  return clusterDashboards.map((build) => {
    const dashboard = build(clusterSelection(cluster.metadata))
    const identity = `${namespace}/${name}/${dashboard.name}`
    const uid = createHash('sha256').update(identity).digest('hex').slice(0, UID_LENGTH)
    const json = grafanaDashboard(dashboard, `truenow-${uid}`, `${namespace}/${name}`)
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: monitoringMetadata(cluster, `${name}-dashboard-${dashboard.name}`, DASHBOARD_LABEL),
      data: { [`truenow-${namespace}-${name}-${dashboard.name}.json`]: `${JSON.stringify(json, null, 1)}\n` },
    }
  })
}
