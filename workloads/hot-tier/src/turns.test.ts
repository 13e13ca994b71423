import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { INGEST_PART, OWED_MS_MAX, SHORT_ROWS_MAX } from './turn-order.ts'
import { TURN_MS, Turns } from './turns.ts'

const workOf = (time: Readonly<{ ms: number }>) => () => {
  const since = time.ms
  return () => time.ms - since
}

/** Turns over a clock that only work moves. */
function scene() {
  const time = { ms: 0 }
  const turns = new Turns({ nowMs: () => time.ms, startWork: workOf(time) })
  const spent = { blocks: 0, reads: 0 }
  const slice = async (rows: number, ms: number, isFirst = false) => {
    await (isFirst ? turns.begin(rows) : turns.goOn(rows))
    time.ms += ms
    spent.reads += ms
    turns.readTook(ms)
  }
  const block = (ms: number) =>
    turns.apply(() => {
      time.ms += ms
      spent.blocks += ms
    })
  return { time, turns, spent, block, slice }
}

test('Turns: while blocks wait they get their part of the time, whatever they cost and however many read however much', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 4 * SHORT_ROWS_MAX }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.double({ min: 0.05, max: 10, noNaN: true }), { minLength: 8, maxLength: 8 }),
      async (reads, costs) => {
        const { spent, block, slice } = scene()
        let isOver = false
        const reading = reads.map(async (rows) => {
          // Statements of two slices each.
          for (let count = 0; !isOver; count++) await slice(rows, TURN_MS, count % 2 === 0)
        })
        // As many streams as there are costs; each has its next block at once.
        await Promise.all(costs.map(async (ms) => {
          for (let count = 0; count * ms < 200; count++) await block(ms)
        })) // biome-ignore format: one line
        isOver = true
        const [blocks, all] = [spent.blocks, spent.blocks + spent.reads]
        await Promise.all(reading)
        // Near the end fewer streams wait, so that a turn is not filled.
        assert.ok(blocks >= INGEST_PART * all - OWED_MS_MAX, `${blocks} of ${all} ms`)
      },
    ),
    { numRuns: 20 },
  )
})

test('Turns: full scans take turns, and a narrow read beside them and blocks has its slice at once', async () => {
  const { block, slice } = scene()
  const order: string[] = []
  const read = async (name: string, rows: number, slices: number) => {
    for (let count = 0; count < slices; count++) {
      await slice(rows, TURN_MS, count === 0)
      order.push(name)
    }
  }
  const apply = async () => {
    for (let count = 0; count < 6; count++) {
      await block(TURN_MS)
      order.push('block')
    }
  }
  const many = SHORT_ROWS_MAX + 1
  await Promise.all([apply(), read('long', many, 4), read('other', many, 4), read('narrow', 1_000, 1)])
  assert.deepEqual(order.slice(0, 7), ['narrow', 'block', 'long', 'block', 'other', 'block', 'long'])
})

test('Turns: between blocks and a read the event loop goes round, and neither holds it for much longer than a turn', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.double({ min: 0.05, max: 3, noNaN: true }),
      fc.nat(2 * SHORT_ROWS_MAX),
      async (costMs, rows) => {
        const { time, block, slice } = scene()
        let [isOver, longestMs] = [false, 0]
        const reading = (async () => {
          while (!isOver) await slice(rows, TURN_MS)
        })()
        const watching = (async () => {
          for (let before = time.ms; !isOver; before = time.ms) {
            await new Promise((resolve) => setImmediate(resolve))
            longestMs = Math.max(longestMs, time.ms - before)
          }
        })()
        await Promise.all(Array.from({ length: 100 }, () => block(costMs)))
        isOver = true
        await Promise.all([reading, watching])
        assert.ok(longestMs <= Math.max(costMs, 1.5 * TURN_MS), `${longestMs} ms with blocks of ${costMs}`)
      },
    ),
    { numRuns: 20 },
  )
})

test('Turns: of new reads a short one begins at once, the next one only after the event loop has gone round', async () => {
  const { turns } = scene()
  const order: string[] = []
  const begin = (name: string, rows: number) => turns.begin(rows).then(() => order.push(name))
  const all = [begin('long', SHORT_ROWS_MAX + 1), begin('narrow', 1_000), begin('other', 1_000)]
  await new Promise((resolve) => process.nextTick(resolve))
  await Promise.resolve()
  assert.deepEqual(order, ['narrow'])
  await Promise.all(all)
  assert.deepEqual(order, ['narrow', 'other', 'long'])
})

test('Turns: a read that is heard of before a turn is among those that wait for it', async () => {
  const order: string[] = []
  const heard: Array<Promise<void>> = []
  const ask = async () => {
    await Promise.resolve()
    await turns.goOn(1_000)
    order.push('read')
  }
  const hear = () => void (heard.length === 0 && heard.push(ask()))
  const turns = new Turns({ nowMs: () => 0, startWork: () => () => 0, hear })
  await turns.apply(() => order.push('block'))
  await Promise.all(heard)
  assert.deepEqual(order, ['read', 'block'])
})

test('Turns: how long each turn was waited for is told by who waited', async () => {
  const time = { ms: 0 }
  const told: string[] = []
  const turns = new Turns({
    nowMs: () => time.ms,
    startWork: workOf(time),
    waited: (by, ms) => void told.push(`${by} ${ms}`),
  })
  const long = SHORT_ROWS_MAX + 1
  const slice = async (turn: Promise<void>) => {
    await turn
    time.ms += TURN_MS
  }
  const block = turns.apply(() => {
    time.ms += 5
  })
  await Promise.all([block, slice(turns.begin(1_000)), slice(turns.goOn(1_000)), slice(turns.begin(long))])
  assert.deepEqual(told, ['short 0', 'short 2', 'block 4', 'long 9'])
})

test('Turns: the error of a block is its own, and the others go on', async () => {
  const { turns, block, spent } = scene()
  const failing = turns.apply(() => {
    throw new Error('no room')
  })
  await Promise.all([assert.rejects(failing, /no room/), block(1)])
  assert.equal(spent.blocks, 1)
})
