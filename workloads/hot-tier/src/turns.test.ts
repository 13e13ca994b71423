import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TURN_MS, Turns } from './turns.ts'

/** Turns over a clock that only work moves. */
function scene() {
  const time = { ms: 0 }
  const turns = new Turns(() => time.ms)
  const spent = { blocks: 0, scans: 0 }
  const block = (ms: number) =>
    turns.apply(() => {
      time.ms += ms
      spent.blocks += ms
    })
  return { time, turns, spent, block }
}

test('Turns: while blocks wait they get two fifths of the time, whatever they cost and however many scan', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.double({ min: 0.05, max: 10, noNaN: true }), { minLength: 8, maxLength: 8 }),
      async (scans, costs) => {
        const { time, turns, spent, block } = scene()
        let isOver = false
        const scanning = Array.from({ length: scans }, async () => {
          while (!isOver) {
            await turns.scan()
            time.ms += TURN_MS
            spent.scans += TURN_MS
          }
        })
        // As many streams as there are costs; each has its next block at once.
        await Promise.all(costs.map(async (ms) => {
          for (let count = 0; count * ms < 200; count++) await block(ms)
        })) // biome-ignore format: one line
        isOver = true
        const [blocks, all] = [spent.blocks, spent.blocks + spent.scans]
        await Promise.all(scanning)
        // Near the end fewer streams wait, so that a turn is not filled.
        assert.ok(blocks / all >= 0.3, `${blocks} of ${all} ms`)
      },
    ),
    { numRuns: 20 },
  )
})

test('Turns: scans take turns, so that a short one waits for one slice of each other', async () => {
  const { turns } = scene()
  const order: string[] = []
  const scan = async (name: string, slices: number) => {
    for (let slice = 0; slice < slices; slice++) {
      await turns.scan()
      order.push(name)
    }
  }
  await Promise.all([scan('long', 6), scan('other', 6), scan('short', 1)])
  assert.equal(order.indexOf('short'), 2)
  assert.deepEqual(order.slice(0, 4), ['long', 'other', 'short', 'long'])
})

test('Turns: between blocks and a scan the event loop goes round, and neither holds it for much longer than a turn', async () => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0.05, max: 3, noNaN: true }), async (costMs) => {
      const { time, turns, block } = scene()
      let [isOver, longestMs] = [false, 0]
      const scanning = (async () => {
        while (!isOver) {
          await turns.scan()
          time.ms += TURN_MS
        }
      })()
      const watching = (async () => {
        for (let before = time.ms; !isOver; before = time.ms) {
          await new Promise((resolve) => setImmediate(resolve))
          longestMs = Math.max(longestMs, time.ms - before)
        }
      })()
      await Promise.all(Array.from({ length: 100 }, () => block(costMs)))
      isOver = true
      await Promise.all([scanning, watching])
      assert.ok(longestMs <= Math.max(costMs, 1.5 * TURN_MS), `${longestMs} ms with blocks of ${costMs}`)
    }),
    { numRuns: 20 },
  )
})

test('Turns: the error of a block is its own, and the others go on', async () => {
  const { turns, block, spent } = scene()
  const failing = turns.apply(() => {
    throw new Error('no room')
  })
  await Promise.all([assert.rejects(failing, /no room/), block(1)])
  assert.equal(spent.blocks, 1)
})
