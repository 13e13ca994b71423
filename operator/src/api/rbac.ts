import { GROUP } from './names.ts'

/** As the chart names its ValidatingAdmissionPolicy and that one's binding, whichever release brought them. */
export const POLICY_NAME = 'truenow-deletion-protection'

export type PolicyRule = Readonly<{
  apiGroups: readonly string[]
  resources: readonly string[]
  verbs: readonly string[]
  resourceNames?: readonly string[]
}>

/** Followed by label, so that a hand edit is seen; server-side apply is a patch, and a create where nothing is there yet. */
const CHILD = ['list', 'watch', 'create', 'patch']

/** What the operator may do in every namespace it acts in. */
export const namespacedRules: readonly PolicyRule[] = [
  { apiGroups: [GROUP], resources: ['truenowclusters', 'tables'], verbs: ['list', 'watch', 'patch'] },
  // Made and annotated by the rebalancer API; what was asked by annotation is taken off again.
  { apiGroups: [GROUP], resources: ['rebalances'], verbs: ['get', 'list', 'watch', 'create', 'patch'] },
  {
    apiGroups: [GROUP],
    resources: ['truenowclusters/status', 'tables/status', 'rebalances/status'],
    verbs: ['patch'],
  },
  // Owners that block their children's deletion must be allowed to be so, where that admission check is on.
  { apiGroups: [GROUP], resources: ['truenowclusters/finalizers'], verbs: ['update'] },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: CHILD },
  // Deleted without its pods and made anew where volumes grow: it keeps those it was made with.
  { apiGroups: ['apps'], resources: ['statefulsets'], verbs: [...CHILD, 'delete'] },
  { apiGroups: [''], resources: ['services', 'serviceaccounts'], verbs: CHILD },
  // A role of one pod needs none any more, or a drain would wait for ever.
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: [...CHILD, 'delete'] },
  // Where autoscaling of a role is asked for, and no more once it is not.
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: [...CHILD, 'delete'] },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: CHILD },
  // Only where spec.monitoring asks for them, and no more once it does not. ConfigMaps are its dashboards, found by label.
  {
    apiGroups: ['monitoring.coreos.com'],
    resources: ['servicemonitors', 'prometheusrules'],
    verbs: [...CHILD, 'delete'],
  },
  { apiGroups: [''], resources: ['configmaps'], verbs: [...CHILD, 'delete'] },
  // To say in status why a pod is not ready, and that those of removed shards are gone; a shard restarts by the deletion of its pod.
  { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'delete'] },
  // Grown with hotTier.storage.size; deleted only under deletionPolicy Delete, after the cluster's data is gone, and of removed
  // shards, after these held none.
  { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['list', 'patch', 'delete'] },
  // Those with the certificates of spec.tls, by name: none is listed or watched. Others are mounted by pods and read by the kubelet.
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'create', 'patch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
]

/** The same for the whole Kubernetes cluster, and to see whether the chart's policy is there. */
export const clusterRules: readonly PolicyRule[] = [
  ...namespacedRules,
  {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
    resourceNames: [POLICY_NAME],
    verbs: ['get'],
  },
]

/** Name of the operator's own Deployment and Lease, as the chart's templates write it. */
const OPERATOR_NAME = '{{ include "truenow.fullname" $ }}-operator'

/** What it may do in its own namespace: hold the Lease, tell of objects whose namespace is gone, and end itself at uninstall. */
export const operatorNamespaceRules: readonly PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    resourceNames: [OPERATOR_NAME],
    verbs: ['get', 'update'],
  },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  { apiGroups: ['apps'], resources: ['deployments'], resourceNames: [OPERATOR_NAME], verbs: ['patch'] },
]
