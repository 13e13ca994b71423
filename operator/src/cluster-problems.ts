import { HOT_TIER_WORKERS_DEFAULT, type TrueNowClusterSpec } from './api/v1alpha1/truenow-cluster.ts'
import { drainedOf } from './drained-of.ts'
import { bytesOfQuantity } from './quantity.ts'

/** What a shard needs to run at all, and what each of its workers does: twice what its process keeps for itself and what the least rows take (hot-tier/src/divide-budget.ts). */
const SHARD_BYTES_MIN = 224 * 2 ** 20
const WORKER_BYTES_MIN = 288 * 2 ** 20
/** Half of it is for the process, which takes 64 GiB at most (HOT_TIER_MEMORY_GB). */
const MEMORY_BYTES_MAX = 128 * 2 ** 30

/**
 * What is wrong with a spec, each with path, rule and remedy; empty when nothing is. The same rules as the CRD's, for a
 * cluster on which those were not enforced, and those that CEL cannot say. Values are not told: they may be secrets. Pure.
 */
export function clusterProblems({ hotTier, kafka, ...roles }: TrueNowClusterSpec): string[] {
  const problems: string[] = []
  const { shards, replicationFactor, memoryPerShard, workers = HOT_TIER_WORKERS_DEFAULT, storage } = hotTier
  if (replicationFactor > shards)
    problems.push('spec.hotTier.replicationFactor is above shards; raise shards or lower replicationFactor')
  else if (replicationFactor > shards - drainedOf(hotTier).length)
    problems.push(
      'spec.hotTier.drain leaves fewer shards than replicationFactor; take a shard out of it, raise shards or lower replicationFactor',
    )
  const { topics } = kafka
  if (topics !== undefined && topics.minInsyncReplicas > topics.replicationFactor)
    problems.push('spec.kafka.topics.minInsyncReplicas is above replicationFactor; lower it')
  if (kafka.sasl?.mechanism === 'PLAIN' && kafka.tls?.enabled !== true)
    problems.push(
      'spec.kafka.sasl.mechanism PLAIN sends the password readable to all on the way; set spec.kafka.tls.enabled to true, or choose a SCRAM mechanism',
    )
  const memory = bytes(memoryPerShard)
  if (memory === undefined) problems.push('spec.hotTier.memoryPerShard is no quantity of bytes, such as 1Gi')
  else if (memory < SHARD_BYTES_MIN + WORKER_BYTES_MIN)
    problems.push('spec.hotTier.memoryPerShard is below 512Mi, which a shard needs to run at all; raise it')
  else if (memory < SHARD_BYTES_MIN + WORKER_BYTES_MIN * workers)
    problems.push(
      'spec.hotTier.memoryPerShard is below 224Mi and 288Mi for each of spec.hotTier.workers; raise it or lower workers',
    )
  else if (memory > MEMORY_BYTES_MAX)
    problems.push('spec.hotTier.memoryPerShard is above 128Gi, more than a shard can use; lower it')
  if (bytes(storage.size) === undefined)
    problems.push('spec.hotTier.storage.size is no quantity of bytes, such as 2Gi')
  for (const role of ['gateway', 'ingester', 'query'] as const) {
    const { autoscaling, replicas = 2 } = roles[role] ?? {}
    if (autoscaling !== undefined && autoscaling.maxReplicas < replicas)
      problems.push(
        `spec.${role}.autoscaling.maxReplicas is below replicas, which is its floor; raise it or lower replicas`,
      )
  }
  for (const [index, broker] of kafka.brokers.entries()) {
    const port = Number(broker.split(':').at(-1))
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      problems.push(`spec.kafka.brokers[${index}] has no port from 1 to 65535; write host:port`)
  }
  return problems
}

function bytes(quantity: string): number | undefined {
  try {
    return bytesOfQuantity(quantity)
  } catch {
    return undefined // bytesOfQuantity throws for nothing but a text that is no quantity.
  }
}
