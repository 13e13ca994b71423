import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { childMetadata } from './child-metadata.ts'

/** As of any child, with the labels by which a Prometheus or a Grafana finds what it shall take; ours cannot be replaced. */
export function monitoringMetadata(
  cluster: TrueNowCluster,
  name?: string,
  more: Record<string, string> = {},
) {
  const metadata = childMetadata(cluster, 'monitoring', name)
  const { labels = {} } = cluster.spec.monitoring ?? {}
  return { ...metadata, labels: { ...more, ...labels, ...metadata.labels } }
}
