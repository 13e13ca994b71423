import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import type { OperatorContext } from './operator-context.ts'

/**
 * Why no shard is marked to be emptied for now: one thing at a time. Not known is no answer. Restarts wait for moves and never
 * for that, and one that came to nothing for so long that its shard is lost holds nothing back, so neither waits for the other
 * for ever.
 */
export function whatRestarts(
  { silence }: Pick<OperatorContext, 'silence'>,
  { metadata }: TrueNowCluster,
  { restart }: Pick<ClusterFacts, 'restart'>,
): string | undefined {
  if (restart === undefined) return 'What the set of shards is about is not known yet.'
  if (restart.kind === 'restart') return `Pod ${restart.pod.name} restarts.`
  const settling = restart.kind === 'wait' && restart.settling
  return settling && silence.lost(metadata.uid).size === 0 ? restart.message : undefined
}
