import assert from 'node:assert/strict'
import { test } from 'node:test'
import kafkajs from 'kafkajs'
import type { KafkaCluster } from './kafka-cluster.ts'
import { readRecord } from './kafka-read-record.ts'

const outOfRange = () => {
  const failure = { type: 'OFFSET_OUT_OF_RANGE', code: 1, message: 'out of range', retriable: true }
  return new kafkajs.KafkaJSProtocolError(failure as unknown as Error)
}

/** A broker whose fetches fail one after the other with `failures`. */
function openBroker(failures: readonly Error[]) {
  const seen = { fetches: 0, refreshes: 0 }
  const fetch = async () => {
    const failure = failures[seen.fetches]
    seen.fetches += 1
    throw failure
  }
  const cluster = {
    addTargetTopic: async () => {},
    findLeaderForPartitions: () => ({ 1: [0] }),
    findBroker: async () => ({ fetch }),
    refreshMetadata: async () => {
      seen.refreshes += 1
    },
  } as unknown as KafkaCluster
  return { cluster, seen }
}

test('read one record: nothing is there, also where only the second try was told so', async () => {
  const first = openBroker([outOfRange()])
  assert.equal(await readRecord(first.cluster, 'topic', 0, 9), undefined)
  assert.deepEqual(first.seen, { fetches: 1, refreshes: 0 })
  const second = openBroker([new Error('no answer'), outOfRange()])
  assert.equal(await readRecord(second.cluster, 'topic', 0, 9), undefined)
  assert.deepEqual(second.seen, { fetches: 2, refreshes: 1 })
})

test('read one record: a broker that fails twice is not asked a third time', async () => {
  const { cluster, seen } = openBroker([new Error('no answer'), new Error('still none')])
  await assert.rejects(readRecord(cluster, 'topic', 0, 9), /still none/)
  assert.equal(seen.fetches, 2)
})
