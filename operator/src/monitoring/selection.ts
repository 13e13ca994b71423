/** PromQL over the series of one thing: a cluster, or an operator. */
export type Selection = Readonly<{
  /** `metric{<the thing’s labels>, matchers}`. */
  series: (metric: string, ...matchers: readonly string[]) => string
  /** `by (<names of the thing’s labels>, labels)`: what it sums up always says whose it is. */
  by: (...labels: readonly string[]) => string
  /** `on (<names of the thing’s labels>)`. */
  on: string
}>

/** Selects by target labels, as the ServiceMonitor gives them. Pure. */
export function selectionOf(labels: Readonly<Record<string, string>>): Selection {
  const names = Object.keys(labels)
  const scope = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return {
    series: (metric, ...matchers) => `${metric}{${[...scope, ...matchers].join(', ')}}`,
    by: (...more) => `by (${[...names, ...more].join(', ')})`,
    on: `on (${names.join(', ')})`,
  }
}

/** Target label with the name of the TrueNowCluster; Kubernetes’ own `namespace` says where it is. */
export const CLUSTER_TARGET_LABEL = 'truenow_cluster'

/** Every series of one cluster. */
export const clusterSelection = ({
  namespace,
  name,
}: Readonly<{ namespace: string; name: string }>): Selection =>
  selectionOf({ namespace, [CLUSTER_TARGET_LABEL]: name })
