import { API_VERSION } from '../api/names.ts'
import type { Resource } from './kubernetes-port.ts'

const resource = (apiVersion: string, kind: string, plural: string): Resource => ({
  apiVersion,
  kind,
  plural,
})

/** Our own kinds. */
export const CLUSTERS: Resource = resource(API_VERSION, 'TrueNowCluster', 'truenowclusters')
export const TABLES: Resource = resource(API_VERSION, 'Table', 'tables')
export const REBALANCES: Resource = resource(API_VERSION, 'Rebalance', 'rebalances')
/** What a cluster is made of; the operator follows these by label, so that a hand edit is seen. */
export const CHILD_RESOURCES: readonly Resource[] = [
  resource('v1', 'ServiceAccount', 'serviceaccounts'),
  resource('v1', 'Service', 'services'),
  resource('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  resource('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  resource('apps/v1', 'Deployment', 'deployments'),
  resource('apps/v1', 'StatefulSet', 'statefulsets'),
  resource('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
]
/**
 * What watches a cluster, where its spec asks for it. The first two are kinds of the Prometheus Operator, which may not be
 * installed; all are followed only once a cluster asks.
 */
export const MONITORING_RESOURCES: readonly Resource[] = [
  resource('monitoring.coreos.com/v1', 'ServiceMonitor', 'servicemonitors'),
  resource('monitoring.coreos.com/v1', 'PrometheusRule', 'prometheusrules'),
  resource('v1', 'ConfigMap', 'configmaps'),
]
/** Pods are read to say why one is not ready; those of shards are deleted to restart them. */
export const PODS: Resource = resource('v1', 'Pod', 'pods')
/** Those with the certificates of a cluster, read and written by name alone. */
export const SECRETS: Resource = resource('v1', 'Secret', 'secrets')
export const VOLUME_CLAIMS: Resource = resource('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims')

/** What is told to people; read by the plugin's report only. */
export const EVENTS: Resource = resource('events.k8s.io/v1', 'Event', 'events')

/** The chart's guard over deletions; read only, to say in status whether it is there. */
const ADMISSION = 'admissionregistration.k8s.io/v1'
export const POLICIES: Resource = resource(
  ADMISSION,
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
)
export const POLICY_BINDINGS: Resource = resource(
  ADMISSION,
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
)

/** The child kind of this name. Errors: RangeError for a kind that no builder makes. */
export function childResource(kind: string): Resource {
  const found = [...CHILD_RESOURCES, ...MONITORING_RESOURCES].find((one) => one.kind === kind)
  if (found === undefined) throw new RangeError(`No child of a cluster is a ${kind}.`)
  return found
}
