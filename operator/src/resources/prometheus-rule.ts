import { HOT_SLOT_PERCENT_DEFAULT, type TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { clusterAlerts } from '../monitoring/cluster-alerts.ts'
import { ruleGroups } from '../monitoring/rule-groups.ts'
import { clusterSelection } from '../monitoring/selection.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import { monitoringMetadata } from './monitoring-metadata.ts'

/** The alerts of this one cluster. `runbooksUrl` is where docs/runbooks can be read. */
export function prometheusRule(cluster: TrueNowCluster, runbooksUrl: string): KubernetesObject {
  const { freshnessSeconds = 60, alertDelayPercent = 100 } = cluster.spec.monitoring ?? {}
  const { hotSlotPercent = HOT_SLOT_PERCENT_DEFAULT } = cluster.spec.rebalance ?? {}
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: monitoringMetadata(cluster),
    spec: {
      groups: ruleGroups(clusterAlerts, {
        selection: clusterSelection(cluster.metadata),
        thresholds: { freshnessSecondsMax: freshnessSeconds, slotHeatMax: hotSlotPercent / 100 },
        delayPercent: alertDelayPercent,
        runbooksUrl,
      }),
    },
  }
}
