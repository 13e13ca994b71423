import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaPort, KafkaRecord, LogProgress } from '../src/kafka-port.ts'

export type KafkaUnderTest = Readonly<{
  kafka: KafkaPort
  /** Deletes records below `startOffset`. */
  truncate: (topic: string, partition: number, startOffset: number) => Promise<void>
}>

const SETTINGS = {
  partitions: 3,
  replicationFactor: 1,
  config: { 'message.timestamp.type': 'LogAppendTime' },
}
let topics = 0

/** What the Kafka port promises, the same for the real broker and for the log in memory. */
export function kafkaPortCases(name: string, open: () => Promise<KafkaUnderTest>): void {
  const freshTopic = async ({ kafka }: KafkaUnderTest) => {
    topics += 1
    const topic = `cases.${name}.${process.pid}.${topics}`
    assert.equal(await kafka.createTopic(topic, SETTINGS), true)
    return topic
  }

  test(`${name}: a topic is created once, described and deleted`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    assert.equal(await under.kafka.createTopic(topic, SETTINGS), false)
    const described = await under.kafka.describeTopic(topic)
    assert.equal(described?.partitions, 3)
    assert.equal(described?.config['message.timestamp.type'], 'LogAppendTime')
    assert.equal(await under.kafka.describeTopic('no.such.topic'), undefined)
    await under.kafka.deleteTopic(topic)
    await under.kafka.deleteTopic(topic)
    await eventually(async () => (await under.kafka.describeTopic(topic)) === undefined)
  })

  test(`${name}: a topic that is deleted while it is read and written stops nobody else`, async () => {
    const under = await open()
    const { kafka } = under
    const [kept, gone] = [await freshTopic(under), await freshTopic(under)]
    const use = async (topic: string) => {
      const { offset } = await kafka.produce(topic, 0, Buffer.from('a'))
      assert.equal((await kafka.readRecord(topic, 0, offset))?.value.toString(), 'a')
      assert.equal((await kafka.offsetRange(topic, 0)).endOffset, offset + 1)
    }
    const [reader, orphan] = [follow(kafka, kept, 0, 0), follow(kafka, gone, 0, 0)]
    await use(kept)
    await use(gone)
    await eventually(async () => reader.records.length === 1 && orphan.records.length === 1)
    await kafka.deleteTopic(gone)
    await eventually(async () => (await kafka.describeTopic(gone)) === undefined)
    const later = await freshTopic(under)
    await use(later)
    await use(kept)
    const other = follow(kafka, later, 0, 0)
    await eventually(async () => reader.records.length === 2 && other.records.length === 1)
    await assert.rejects(orphan.ended, { code: 'TN_KAFKA_UNAVAILABLE' })
    await Promise.all([reader.stop(), other.stop()])
  })

  test(`${name}: a topic that many describe and delete at once is there or is not, and nobody fails`, async () => {
    const under = await open()
    const { kafka } = under
    const topic = await freshTopic(under)
    const describers = Array.from({ length: 8 }, async () => {
      let found = await kafka.describeTopic(topic)
      for (; found !== undefined; found = await kafka.describeTopic(topic)) assert.ok(found.partitions > 0)
    })
    await Promise.all([...describers, kafka.deleteTopic(topic), kafka.deleteTopic(topic)])
  })

  test(`${name}: offsets count up in each partition and are what readRecord finds`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    for (let index = 0; index < 3; index++) {
      assert.deepEqual(await under.kafka.produce(topic, 1, Buffer.from(`v${index}`)), { offset: index })
    }
    assert.deepEqual(await under.kafka.produce(topic, 2, Buffer.from('other')), { offset: 0 })
    assert.equal((await under.kafka.readRecord(topic, 1, 1))?.value.toString(), 'v1')
    assert.equal(await under.kafka.readRecord(topic, 1, 3), undefined)
    assert.deepEqual(await under.kafka.offsetRange(topic, 1), { startOffset: 0, endOffset: 3 })
  })

  test(`${name}: concurrent appends over partitions each get their own offset`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    const writes = Array.from({ length: 60 }, (_, index) =>
      under.kafka.produce(topic, index % 3, Buffer.from(`${index}`)),
    )
    const offsets = (await Promise.all(writes)).map(({ offset }, index) => `${index % 3}/${offset}`)
    assert.equal(new Set(offsets).size, 60)
    for (const [index, place] of offsets.entries()) {
      const [partition = 0, offset = 0] = place.split('/').map(Number)
      assert.equal((await under.kafka.readRecord(topic, partition, offset))?.value.toString(), String(index))
    }
  })

  test(`${name}: a follower gets every record once, in order, from where it asked, also those to come`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    for (let index = 0; index < 5; index++) await under.kafka.produce(topic, 0, Buffer.from(`v${index}`))
    const follower = follow(under.kafka, topic, 0, 2)
    await eventually(async () => follower.records.length === 3)
    for (let index = 5; index < 9; index++) await under.kafka.produce(topic, 0, Buffer.from(`v${index}`))
    await eventually(async () => follower.records.length === 7)
    assert.deepEqual(
      follower.records.map(({ offset, value }) => [offset, value.toString()]),
      [
        [2, 'v2'],
        [3, 'v3'],
        [4, 'v4'],
        [5, 'v5'],
        [6, 'v6'],
        [7, 'v7'],
        [8, 'v8'],
      ],
    )
    assert.ok(follower.records.every(({ timestampMs }) => Math.abs(Date.now() - timestampMs) < 60_000))
    await eventually(async () => follower.progress?.nextOffset === 9 && follower.progress.endOffset === 9)
    await follower.stop()
  })

  test(`${name}: progress is told while nothing comes, so that idle and stuck can be told apart`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    const follower = follow(under.kafka, topic, 0, 0)
    await eventually(async () => follower.turns >= 4)
    assert.deepEqual([follower.progress?.nextOffset, follower.progress?.endOffset], [0, 0])
    await follower.stop()
  })

  test(`${name}: a taker that is full holds back its own partition alone`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    let release = () => {}
    const full = new Promise<void>((resolve) => {
      release = resolve
    })
    const stuck = follow(under.kafka, topic, 0, 0, () => full)
    const free = follow(under.kafka, topic, 1, 0)
    await under.kafka.produce(topic, 0, Buffer.from('a'))
    await eventually(async () => stuck.records.length === 1) // Turns without records may come before it.
    const [before] = [stuck.turns]
    for (let index = 0; index < 3; index++) {
      await under.kafka.produce(topic, 0, Buffer.from('b'))
      await under.kafka.produce(topic, 1, Buffer.from('c'))
    }
    await eventually(async () => free.records.length === 3)
    assert.equal(stuck.turns, before)
    release()
    await eventually(async () => stuck.records.length === 4)
    await Promise.all([stuck.stop(), free.stop()])
  })

  test(`${name}: two followers of one partition from different places each get all of theirs`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    for (let index = 0; index < 4; index++) await under.kafka.produce(topic, 0, Buffer.from(`v${index}`))
    const [whole, tail] = [follow(under.kafka, topic, 0, 0), follow(under.kafka, topic, 0, 3)]
    await under.kafka.produce(topic, 0, Buffer.from('v4'))
    await eventually(async () => whole.records.length === 5 && tail.records.length === 2)
    assert.deepEqual(
      whole.records.map(({ offset }) => offset),
      [0, 1, 2, 3, 4],
    )
    assert.deepEqual(
      tail.records.map(({ offset }) => offset),
      [3, 4],
    )
    await Promise.all([whole.stop(), tail.stop()])
  })

  test(`${name}: a position that retention deleted rejects with what is there, and never jumps`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    for (let index = 0; index < 6; index++) await under.kafka.produce(topic, 0, Buffer.from(`v${index}`))
    await under.truncate(topic, 0, 4)
    const late = follow(under.kafka, topic, 0, 1)
    await assert.rejects(late.ended, {
      code: 'TN_OFFSET_OUT_OF_RANGE',
      details: { startOffset: 4, endOffset: 6 },
    })
    const beyond = follow(under.kafka, topic, 0, 9)
    await assert.rejects(beyond.ended, {
      code: 'TN_OFFSET_OUT_OF_RANGE',
      details: { startOffset: 4, endOffset: 6 },
    })
    assert.deepEqual([late.records, beyond.records], [[], []])
    assert.equal(await under.kafka.readRecord(topic, 0, 1), undefined)
  })

  test(`${name}: a taker that throws ends its follower with that error`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    await under.kafka.produce(topic, 0, Buffer.from('a'))
    const signal = AbortSignal.timeout(20_000)
    const broken = () => {
      throw new Error('taker')
    }
    await assert.rejects(
      under.kafka.followPartition({ topic, partition: 0, nextOffset: 0 }, broken, signal),
      /taker/,
    )
  })

  test(`${name}: cursors are published without an error`, async () => {
    const under = await open()
    const topic = await freshTopic(under)
    await under.kafka.publishCursors(`group.${topic}`, topic, new Map([[0, 5]]))
  })
}

function follow(
  kafka: KafkaPort,
  topic: string,
  partition: number,
  nextOffset: number,
  hold?: () => Promise<void>,
) {
  const stopping = new AbortController()
  const state = {
    records: [] as KafkaRecord[],
    progress: undefined as LogProgress | undefined,
    turns: 0,
    ended: Promise.resolve(),
    stop: async () => {
      stopping.abort()
      await state.ended
    },
  }
  const take = (records: readonly KafkaRecord[], progress: LogProgress) => {
    state.records.push(...records)
    state.progress = progress
    state.turns += 1
    return records.length > 0 ? hold?.() : undefined
  }
  state.ended = kafka.followPartition({ topic, partition, nextOffset }, take, stopping.signal)
  state.ended.catch(() => {}) // Whoever expects the rejection looks at `ended`.
  return state
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (!(await condition())) {
    assert.ok(performance.now() < giveUpAt, 'not within 20 s')
    await sleep(20)
  }
}
