import type { Clock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import type { AdmissionPolicy } from './admission-policy.ts'
import type { Rebalance } from './api/v1alpha1/rebalance.ts'
import type { Table } from './api/v1alpha1/table.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { AskPodTls } from './certificates/ask-pod-tls.ts'
import type { LookedAtCertificates } from './certificates/looked-at-certificates.ts'
import type { HeatWatch } from './heat-watch.ts'
import type { KubernetesPort, ObjectKey, Stored } from './kubernetes/kubernetes-port.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { Operands } from './operands.ts'
import type { OptionalKinds } from './optional-kinds.ts'
import type { RestartMemory } from './restarts/restart-memory.ts'
import type { SilenceWatch } from './silence-watch.ts'

/** Objects of one kind as last seen, over all namespaces that are watched. */
export type Seen<Kind> = Readonly<{ get: (key: ObjectKey) => Kind | undefined; all: () => readonly Kind[] }>
export type RecordEvent = (
  regarding: Stored,
  event: Readonly<{ type: 'Normal' | 'Warning'; reason: string; action: string; note: string }>,
) => Promise<void>

/** What the steps work with; everything that is not in the object itself comes from here. */
export type OperatorContext = Readonly<{
  kubernetes: KubernetesPort
  clusters: Seen<TrueNowCluster>
  tables: Seen<Table>
  rebalances: Seen<Rebalance>
  /** A child or a pod as last seen, by kind. */
  child: <Kind extends Stored>(kind: string, key: ObjectKey) => Kind | undefined
  childrenOfKind: <Kind extends Stored>(kind: string) => readonly Kind[]
  /** What this process applied of each child, to see at no cost whether that still stands. */
  applied: Map<string, AppliedChild>
  /** Restarts of shards, by uid of their cluster, of which the caches may not have heard yet. */
  restarts: Map<string, RestartMemory>
  /** What was found of the certificates of a cluster, by uid, and until when that may be believed. */
  certificates: Map<string, LookedAtCertificates>
  askPodTls: AskPodTls
  optionalKinds: OptionalKinds
  admissionPolicy: AdmissionPolicy
  /** When the moves of each Rebalance, by uid, were last asked to go on, by the monotonic clock; of the last minute. */
  driven: Map<string, number>
  operands: Operands
  leaderEpochs: LeaderEpochs
  silence: SilenceWatch
  heat: HeatWatch
  /** To how many shards the set of each cluster, by uid, was lowered, until our cache shows it. */
  lowered: Map<string, number>
  record: RecordEvent
  log: Log
  clock: Clock
  /** `<namespace>/<lease>`: by this an operator claims clusters. */
  identity: string
  /** Where docs/runbooks can be read; alerts link to it. */
  runbooksUrl: string
  /** Image for clusters that are new and name none. */
  image: string
}>
export type AppliedChild = Readonly<{
  desired: string
  /** The child as the API server answered it, so that its defaults and its way of writing a quantity are no drift. */
  standing: string
  /** Which object and version of its spec the API server answered; a cache of before that shows less. */
  uid: string
  generation: number | undefined
  /** The cache has shown it: from then on a difference is somebody’s edit, and before it merely an old cache. */
  confirmed: boolean
}>
