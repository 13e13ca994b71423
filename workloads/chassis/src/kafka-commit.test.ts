import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KafkaCluster } from './kafka-cluster.ts'
import { COMMIT_ATTEMPTS_MAX, commitCursors } from './kafka-commit.ts'

/** A coordinator that fails so often, each time found anew. */
function coordinator(failures: number, retriable: boolean) {
  const seen = { found: 0, commits: [] as unknown[] }
  const cluster = {
    findGroupCoordinator: async () => {
      seen.found += 1
      return {
        offsetCommit: async (commit: unknown) => {
          if (seen.found <= failures) throw Object.assign(new Error('loading'), { retriable })
          seen.commits.push(commit)
        },
      }
    },
  } as unknown as KafkaCluster
  return { cluster, seen }
}
const commit = (cluster: KafkaCluster) => commitCursors(cluster, 'group', 'topic', new Map([[3, 5]]), 0)

test('cursors: a coordinator that loads is asked again, and found again', async () => {
  const { cluster, seen } = coordinator(COMMIT_ATTEMPTS_MAX - 1, true)
  await commit(cluster)
  assert.equal(seen.found, COMMIT_ATTEMPTS_MAX)
  assert.deepEqual(seen.commits, [
    {
      groupId: 'group',
      groupGenerationId: -1,
      memberId: '',
      topics: [{ topic: 'topic', partitions: [{ partition: 3, offset: '5' }] }],
    },
  ])
})

test('cursors: it is given up after so many attempts, and at once when asking again cannot help', async () => {
  const loading = coordinator(COMMIT_ATTEMPTS_MAX, true)
  await assert.rejects(commit(loading.cluster), /loading/)
  assert.equal(loading.seen.found, COMMIT_ATTEMPTS_MAX)
  const refused = coordinator(1, false)
  await assert.rejects(commit(refused.cluster), /loading/)
  assert.equal(refused.seen.found, 1)
})
