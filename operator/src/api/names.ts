/** Names that users, other operators and runbooks know: changed here, with docs and tests, or nowhere. */
export const GROUP = 'truenow.io'
export const VERSION = 'v1alpha1'
export const API_VERSION = `${GROUP}/${VERSION}`
export const FIELD_MANAGER = 'truenow-operator'
export const CLUSTER_LABEL = 'truenow.io/cluster'
/** Only on objects whose deletionPolicy is Delete: data outside Kubernetes must go before they do. */
export const FINALIZER = 'truenow.io/data'
/** What a person may ask of a Rebalance; taken off again once it was obeyed or refused. */
export const APPROVE_ANNOTATION = 'truenow.io/approve'
export const STOP_ANNOTATION = 'truenow.io/stop'
export const REFRESH_ANNOTATION = 'truenow.io/refresh'
/** Any value that was not there before asks, once, for newer certificates of every role, or for another authority. */
export const RENEW_LEAVES_ANNOTATION = 'truenow.io/renew-certificates'
export const RENEW_AUTHORITY_ANNOTATION = 'truenow.io/renew-authority'
/** Lets another operator take a claimed cluster over. */
export const ADOPT_ANNOTATION = 'truenow.io/adopt'
/** On a TrueNowCluster: a new value, such as the time, restarts its shards one after the other. */
export const RESTART_ANNOTATION = 'truenow.io/restart'
/** On a workload: the pod template that was last released, and what of the spec it was made of. */
export const POD_TEMPLATE_ANNOTATION = 'truenow.io/pod-template'
