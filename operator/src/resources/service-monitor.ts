import { CLUSTER_LABEL } from '../api/names.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { CLUSTER_TARGET_LABEL } from '../monitoring/selection.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import { monitoringMetadata } from './monitoring-metadata.ts'

/**
 * Lets the Prometheus Operator scrape every pod of the cluster, through the Services of its roles: `pod` tells replicas
 * apart, `job` is the role. `namespace` is Kubernetes’ own, so what a metric calls so becomes `exported_namespace`.
 */
export function serviceMonitor(cluster: TrueNowCluster): KubernetesObject {
  const { name } = cluster.metadata
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: monitoringMetadata(cluster),
    spec: {
      jobLabel: 'app.kubernetes.io/component',
      selector: { matchLabels: { 'app.kubernetes.io/name': 'truenow', [CLUSTER_LABEL]: name } },
      endpoints: [
        {
          port: 'http',
          path: '/metrics',
          relabelings: [{ action: 'replace', targetLabel: CLUSTER_TARGET_LABEL, replacement: name }],
        },
      ],
    },
  }
}
