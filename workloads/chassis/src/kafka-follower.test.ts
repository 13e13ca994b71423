import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { systemClock } from './clock.ts'
import type { Broker, KafkaCluster } from './kafka-cluster.ts'
import { KafkaFollower } from './kafka-follower.ts'
import { createLog } from './log.ts'

type Request = Parameters<Broker['fetch']>[0]

const followers: KafkaFollower[] = []
after(() => Promise.all(followers.map((follower) => follower.close())))

/** Empty partitions `topic/partition` on brokers by id; what the client knows of a change, it knows once it asked. */
function openScene(leaders: Map<string, string>) {
  let known = new Map(leaders)
  const answers = new Map<string, number>()
  const unknown = () => {
    const failure = { type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3, message: 'unknown', retriable: true }
    return new kafkajs.KafkaJSProtocolError(failure as unknown as Error)
  }
  const fetch = (nodeId: string) => async (request: Request) => {
    const responses = request.topics.map(({ topic, partitions }) => ({
      topicName: topic,
      partitions: partitions.map(({ partition, fetchOffset }) => {
        const leader = leaders.get(`${topic}/${partition}`)
        if (leader === undefined) throw unknown()
        if (leader !== nodeId) throw new Error(`broker ${nodeId} does not lead ${topic}/${partition}`)
        return { partition, highWatermark: fetchOffset, abortedTransactions: [], messages: [] }
      }),
    }))
    await sleep(5)
    return { responses }
  }
  const refreshMetadata = async () => {
    known = new Map(leaders)
  }
  const cluster: Partial<KafkaCluster> = {
    refreshMetadata,
    addTargetTopic: async (topic) => {
      if (![...leaders.keys()].some((place) => place.startsWith(`${topic}/`))) throw unknown()
      await refreshMetadata()
    },
    findBroker: async ({ nodeId }) => ({ fetch: fetch(nodeId) }) as unknown as Broker,
    findLeaderForPartitions: (topic, partitions) => {
      const leader = known.get(`${topic}/${partitions[0]}`)
      if (leader === undefined) throw new Error(`no metadata of ${topic}`)
      return { [leader]: [...partitions] }
    },
  }
  const follower = new KafkaFollower({
    cluster: cluster as KafkaCluster,
    clock: systemClock,
    log: createLog({ role: 'test', level: 'ERROR' }),
    offsetRange: async () => ({ startOffset: 0, endOffset: 0 }),
  })
  followers.push(follower)
  const follow = (topic: string, partition: number, pausing?: Promise<void>) => {
    const place = `${topic}/${partition}`
    const take = () => {
      answers.set(place, (answers.get(place) ?? 0) + 1)
      return pausing
    }
    const ended = follower.follow({ topic, partition, nextOffset: 0 }, take, new AbortController().signal)
    ended.catch(() => {}) // Whoever expects the failure looks at it.
    return ended
  }
  const isReadOn = async (place: string) => {
    const before = answers.get(place) ?? 0
    await until(() => (answers.get(place) ?? 0) > before + 1, `${place} is read on`)
  }
  return { follow, isReadOn, refreshMetadata, answers }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + 8_000
  while (!holds()) {
    assert.ok(performance.now() < giveUpAt, `not within 8 s: ${what}`)
    await sleep(5)
  }
}

test('a partition is read on when a broker leads it that led none, while its former leader leads others', async () => {
  const leaders = new Map([
    ['t/0', '1'],
    ['t/1', '1'],
  ])
  const scene = openScene(leaders)
  for (const partition of [0, 1]) void scene.follow('t', partition)
  await scene.isReadOn('t/1')
  leaders.set('t/1', '2')
  await scene.isReadOn('t/1')
  await scene.isReadOn('t/0')
})

test('a partition is read on when somebody else learned of its new leader first', async () => {
  const leaders = new Map([
    ['t/0', '1'],
    ['t/1', '1'],
  ])
  const scene = openScene(leaders)
  for (const partition of [0, 1]) void scene.follow('t', partition)
  await scene.isReadOn('t/1')
  leaders.set('t/1', '2')
  await scene.refreshMetadata()
  await scene.isReadOn('t/1')
})

test('a partition is read on when all others of its new leader are paused', async () => {
  const leaders = new Map([
    ['t/0', '1'],
    ['t/1', '1'],
    ['t/2', '2'],
  ])
  const scene = openScene(leaders)
  void scene.follow('t', 2, new Promise(() => {}))
  await until(() => scene.answers.has('t/2'), 't/2 is paused')
  for (const partition of [0, 1]) void scene.follow('t', partition)
  await scene.isReadOn('t/1')
  leaders.set('t/1', '2')
  await scene.isReadOn('t/1')
})

test('a deleted topic ends its followers and no others', async () => {
  const leaders = new Map([
    ['stays/0', '1'],
    ['goes/0', '1'],
  ])
  const scene = openScene(leaders)
  void scene.follow('stays', 0)
  const ended = scene.follow('goes', 0)
  await scene.isReadOn('goes/0')
  leaders.delete('goes/0')
  const silent = sleep(8_000, undefined, { ref: false }).then(() => assert.fail('not ended within 8 s'))
  await assert.rejects(Promise.race([ended, silent]), { code: 'TN_KAFKA_UNAVAILABLE' })
  await scene.isReadOn('stays/0')
})
