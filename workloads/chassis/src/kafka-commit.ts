import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaCluster } from './kafka-cluster.ts'

/** A coordinator loads for as long as its log is long: five attempts over three seconds, then the caller hears of it. */
export const COMMIT_ATTEMPTS_MAX = 5
const COMMIT_RETRY_MS = 300

/**
 * Commits next offsets of a topic (partition to offset) for a group without members. A group's first commit makes its
 * coordinator load, and coordinators move: while the broker says that it may be tried again, it is.
 */
export async function commitCursors(
  cluster: Pick<KafkaCluster, 'findGroupCoordinator'>,
  group: string,
  topic: string,
  nextOffsets: ReadonlyMap<number, number>,
  retryMs = COMMIT_RETRY_MS,
): Promise<void> {
  const partitions = [...nextOffsets].map(([partition, offset]) => ({ partition, offset: String(offset) }))
  // No member and generation -1: an offset that nobody's membership stands behind, as kafka-consumer-groups writes it.
  const commit = { groupId: group, groupGenerationId: -1, memberId: '', topics: [{ topic, partitions }] }
  for (let attempt = 1; ; attempt++) {
    try {
      const coordinator = await cluster.findGroupCoordinator({ groupId: group })
      await coordinator.offsetCommit(commit)
      return
    } catch (error) {
      if (attempt === COMMIT_ATTEMPTS_MAX || (error as { retriable?: boolean }).retriable !== true)
        throw error
      await sleep(retryMs * attempt)
    }
  }
}
