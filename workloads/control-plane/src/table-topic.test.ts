import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOCK_BYTES_MAX } from '@truenow/contracts/wire/block-v1.ts'
import { tableTopic, topicDrift } from './table-topic.ts'

const hourUs = 3_600_000_000
const needed = tableTopic(
  { slots: 8, retentionUs: hourUs, dedupWindowUs: 600_000_000, maxFutureSkewUs: 1 },
  { replicationFactor: 3, minInsyncReplicas: 2 },
)

test('tableTopic: the log outlives retention, dedup window and skew by a day, rounded up', () => {
  assert.equal(needed.config['retention.ms'], String(3_600_000 + 600_000 + 1 + 86_400_000))
  assert.equal(needed.config['message.timestamp.type'], 'LogAppendTime')
  assert.ok(Number(needed.config['max.message.bytes']) > BLOCK_BYTES_MAX)
})

const cases: ReadonlyArray<
  [name: string, found: Partial<typeof needed>, config: Record<string, string>, drift: string[]]
> = [
  ['as needed', {}, {}, []],
  ['kept longer', {}, { 'retention.ms': '999999999' }, []],
  ['kept for ever', {}, { 'retention.ms': '-1' }, []],
  [
    'one ms too short',
    {},
    { 'retention.ms': '90600000' },
    ['retention.ms is 90600000, must be at least 90600001'],
  ],
  ['limited in bytes', {}, { 'retention.bytes': '1' }, ['retention.bytes is 1, must be -1']],
  [
    'stamped by clients',
    {},
    { 'message.timestamp.type': 'CreateTime' },
    ['message.timestamp.type is CreateTime, must be LogAppendTime'],
  ],
  [
    'partitions added',
    { partitions: 9 },
    {},
    ["partitions are 9, must be 8 (the table's slots); the others stay unread"],
  ],
  ['one copy', { replicationFactor: 1 }, {}, ['replication factor is 1, must be 3']],
]
for (const [name, found, config, drift] of cases) {
  test(`topicDrift: ${name}`, () => {
    assert.deepEqual(
      topicDrift(needed, { ...needed, ...found, config: { ...needed.config, ...config } }),
      drift,
    )
  })
}

test('topicDrift: a setting that the broker does not tell is drift, not luck', () => {
  assert.equal(topicDrift(needed, { ...needed, config: {} }).length, Object.keys(needed.config).length)
})
