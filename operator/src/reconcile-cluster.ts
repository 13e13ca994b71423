import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { clusterStatus } from './cluster-status.ts'
import { endCluster } from './end-cluster.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import { CLUSTERS } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { podsOfCluster } from './pods-of-cluster.ts'
import { requeueAfter } from './requeue-after.ts'
import { rfc3339 } from './rfc3339.ts'
import { runSteps } from './run-steps.ts'
import { checkClusterSpec } from './steps/check-cluster-spec.ts'
import { chooseImage } from './steps/choose-image.ts'
import { claimCluster } from './steps/claim-cluster.ts'
import { declareCluster } from './steps/declare-cluster.ts'
import { drainShards, UNCORDONED } from './steps/drain-shards.ts'
import { endOrphanedMoves } from './steps/end-orphaned-moves.ts'
import { ensureCertificates } from './steps/ensure-certificates.ts'
import { ensureChildren } from './steps/ensure-children.ts'
import { ensureMonitoring } from './steps/ensure-monitoring.ts'
import { fixBrokenRevision } from './steps/fix-broken-revision.ts'
import { growVolumes } from './steps/grow-volumes.ts'
import { keepFinalizer } from './steps/keep-finalizer.ts'
import { keepShards } from './steps/keep-shards.ts'
import { readFreshness } from './steps/read-freshness.ts'
import { repairPlacement } from './steps/repair-placement.ts'
import { restartShards } from './steps/restart-shards.ts'
import { retireLostTables } from './steps/retire-lost-tables.ts'
import { scaleIn } from './steps/scale-in.ts'
import { watchHeat } from './steps/watch-heat.ts'
import { observeWorkloads, podTroubles, type Workload } from './workloads.ts'
import { writeStatus } from './write-status.ts'

/** The operator on one screen: what is done for a TrueNowCluster, in order. */
const stepsOf = (context: OperatorContext) => [
  claimCluster(context),
  checkClusterSpec,
  keepFinalizer(context.kubernetes, CLUSTERS),
  chooseImage(context),
  ensureCertificates(context),
  growVolumes(context),
  keepShards(context),
  ensureChildren(context),
  fixBrokenRevision(context),
  ensureMonitoring(context),
  declareCluster(context),
  endOrphanedMoves(context),
  restartShards(context),
  scaleIn(context),
  drainShards(context),
  repairPlacement(context),
  watchHeat(context),
  retireLostTables(context),
  readFreshness(context),
]

/** One pass over one cluster. Answers when to look again. Errors: KubernetesError, and what a step threw; both are retried. */
export async function reconcileCluster(
  context: OperatorContext,
  key: ObjectKey,
  restMs: number,
): Promise<{ afterMs: number } | undefined> {
  const cluster = context.clusters.get(key)
  if (cluster === undefined) return undefined
  if (cluster.metadata.deletionTimestamp !== undefined) return endCluster(context, cluster)
  const outcome = await runSteps<TrueNowCluster, ClusterFacts>(cluster, stepsOf(context), {})
  if (outcome.facts.foreign === true) return requeueAfter(outcome, false, restMs)
  const { name, namespace } = cluster.metadata
  const seen = {
    roles: observeWorkloads(cluster, (kind, at) => context.child<Workload>(kind, at)),
    shards: context.child<Workload>('StatefulSet', { namespace, name: `${name}-hot-tier` }),
    troubles: podTroubles(podsOfCluster(context, key)),
  }
  const policy = await context.admissionPolicy.look()
  const told = { operator: context.identity, now: rfc3339(context.clock.nowUs()), policy }
  const status = clusterStatus(cluster, outcome, seen, told)
  await writeStatus(context, CLUSTERS, cluster, status, outcome.facts.objectVersion)
  const { secured, drain = [] } = outcome.facts
  const emptying = drain.some(({ predicate }) => predicate !== UNCORDONED)
  const changing = typeof secured === 'object' && secured.status !== 'True'
  const rests =
    status.phase === 'Paused' ||
    (status.phase === 'Ready' && !changing && !emptying && outcome.facts.downscale === undefined)
  return requeueAfter(outcome, rests, restMs)
}
